"""Lists the phrases of promotion and review requests in Japanese and English, as RE2 patterns.

A text is promotion if the weights of its phrases reach 1. A single ordinary word, such as may occur in an honest answer
("the sale price is right", 「キャンペーンは終わりました」), weighs less than 1. No pattern skips over arbitrary text
(`.*`), so that all patterns are searched in one pass.
"""

from typing import Final, NamedTuple


class Phrase(NamedTuple):
    pattern: str
    weight: float


PROMOTION: Final = (
    # an invitation to other goods or another place
    Phrase(
        r"(visit|check out|browse|come (and )?see|take a look at|have a look at) (at )?(our|my) (online |web |e-?bay |other )?(shop|store|catalog(ue)?|collection|items|products|listings)",
        1.0,
    ),
    Phrase(
        r"(visit|check out|browse|take a look at|have a look at) (at )?(our|my) (online |web |other )?(website|site|page)",
        0.6,
    ),
    Phrase(r"our (own )?(online (shop|store)|web ?(shop|store))", 0.6),
    Phrase(r"(our|my) (other|new|latest) (items|products|goods|listings|collection|arrivals)", 0.6),
    Phrase(r"(you may|you might|you'll) also (like|love|be interested in)", 0.8),
    Phrase(r"(buy|order|purchase) (directly |direct )(from|with|through) us", 1.0),
    Phrase(r"cheaper (if you (buy|order)|outside|on our|directly|direct from)", 1.0),
    Phrase(r"(当店|弊店|当社|弊社)の?(公式|自社|オンライン|ネット|通販)(サイト|ショップ|ストア)", 0.8),
    Phrase(
        r"(自社|公式|直営)(サイト|通販|オンラインショップ|ショップ)(で|から|なら|にて)(の)?(ご購入|ご注文|購入|注文|お買い)",
        1.0,
    ),
    Phrase(r"(当店|弊店)の?(他|ほか|その他|別)の?(商品|製品|アイテム)", 0.8),
    Phrase(r"(ぜひ|是非|どうぞ)(当店|弊店|当ショップ|お店)", 0.5),
    Phrase(
        r"(新商品|新製品|新作|おすすめ商品|オススメ商品|お勧め商品|関連商品)の?(ご案内|お知らせ|ご紹介|のご紹介|が入荷|が登場)",
        1.0,
    ),
    Phrase(r"(おすすめ|オススメ|お勧め|関連)(商品|アイテム)", 0.5),
    Phrase(r"(ご覧|チェックして|お立ち寄り)(になって)?(ください|下さい|くださいませ)", 0.3),
    Phrase(r"直接(ご)?(購入|注文|取引)(いただ|頂|して|なら|で|すれば)", 1.0),
    # price reductions
    Phrase(r"(use|enter|apply|with) (the )?(promo |coupon |discount |voucher )?code\b", 0.6),
    Phrase(r"(promo|coupon|discount|voucher) code", 0.5),
    Phrase(r"[0-9]{1,2} ?(%|percent) (off|discount)", 0.6),
    Phrase(r"(special|exclusive|limited[- ]time|great) (offer|deal|discount|price)s?", 0.6),
    Phrase(r"\b(discount|coupon|voucher|bargain)s?\b", 0.3),
    Phrase(r"\b(sale|campaign|promotion)s?\b", 0.3),
    Phrase(r"(don't miss|hurry|act now|last chance|while (stocks|supplies) last|today only)", 0.4),
    Phrase(r"(your |the )?next (purchase|order)", 0.4),
    Phrase(r"クーポン(コード|番号)", 0.6),
    Phrase(r"(割引|クーポン|優待)", 0.3),
    Phrase(r"[0-9]{1,2} ?(%|パーセント) ?(off|オフ|引き|割引)", 0.6),
    Phrase(r"(セール|キャンペーン|フェア)", 0.3),
    Phrase(r"(セール|キャンペーン|フェア)(を|が)?(開催中|実施中|開催して|実施して|開催いたし|スタート)", 0.7),
    Phrase(r"(今だけ|期間限定|数量限定|本日限り|お見逃しなく|在庫限り|先着)", 0.4),
    Phrase(r"(次回|またの|再度の?)(の)?(ご購入|ご注文|お買い物|ご利用)", 0.4),
    Phrase(r"(ポイント|point) ?[0-9０-９]{1,2} ?倍", 0.6),
    Phrase(r"(お得|特価|激安|送料無料)", 0.3),
    Phrase(r"(お得な|特別な|限定)(情報|価格|セール|クーポン|ご案内)", 0.6),
    # newsletters and followers
    Phrase(r"(subscribe|sign up) (to|for) (our|the) (news ?letter|mailing list|email list)", 1.0),
    Phrase(r"\bnews ?letters?\b", 0.4),
    Phrase(r"(メルマガ|メールマガジン)(に|を|へ|の)?(ご)?(登録|購読)(し|いただ|頂|を|くだ|は)", 1.0),
    Phrase(r"(メルマガ|メールマガジン)", 0.4),
    Phrase(r"(follow|like) us on\b", 0.8),
    Phrase(r"(会員登録|友だち登録|友達登録|フォロー)(で|して|すると|いただ|頂|を)", 0.6),
    # rewards for a review
    Phrase(
        r"(gift|present|reward|cash ?back|refund|free (item|sample|product|gift)|gift ?card|[$¥€] ?[0-9]+) (for|in return for|in exchange for) (a|an|your) (good |positive |honest |5[- ]star |five[- ]star )*(review|rating|feedback)",
        1.0,
    ),
    Phrase(r"(gift ?card|cash ?back|free gift|free sample)s?", 0.5),
    Phrase(r"(5|five)[- ]stars?", 0.3),
    Phrase(r"(レビュー|口コミ|クチコミ)(で|投稿で|記入で|記載で)", 0.5),
    Phrase(r"(プレゼント|進呈|差し上げ|キャッシュバック|ギフト券|ギフトカード|特典|謝礼|粗品)", 0.5),
    Phrase(r"(星5|星５|星五つ|★★★★★|☆5|高評価)", 0.3),
)

REVIEW: Final = (
    Phrase(
        r"(leave|write|post|give|submit|share) (us |me )?(a |an |your )?(good |positive |honest |kind |short |quick |5[- ]star |five[- ]star )*(review|rating|feedback)",
        0.5,
    ),
    Phrase(r"(rate|review) (us|our (shop|store|product)|your purchase|the product)\b", 0.5),
    Phrase(
        r"(レビュー|口コミ|クチコミ|評価)(を|の)?(ご|お)?(記入|投稿|書いて|書き込み|寄せ|協力|お願い|いただけ|頂け)",
        0.5,
    ),
)
"""Requests for a review. A request alone is not promotion; a request with a reward is promotion."""
