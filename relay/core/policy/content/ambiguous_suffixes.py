"""Lists the public suffixes that are also words, names or file extensions.

A name such as "works.it" or "readme.md" is mostly a forgotten space after a full stop, or a file. Such a name counts as
a link only if it has a path or a port, begins with `www.`, or ends in a public suffix of several labels. If the suffix
is a word and not a file extension, a subdomain is enough too.

A suffix is listed if it more probably begins a sentence or ends a file name than it ends the host name of a shop. Words
that shops choose and that seldom begin a sentence (online, store, site, website, club, app, dev, tv) are not listed.
Suffixes of countries with many shops are not listed either: cc, de, es, se, ca, sa, co, io, and also pl and mk,
although scripts and makefiles have these extensions.
"""

from typing import Final

_DOCUMENTS_AND_ARCHIVES: Final = "bar cab cal cam cfd crs data dds docs dot ink map med mov prof ps pub tab zip"
_PROGRAMS: Final = "bms foo java mba md pm prod py rs sh tf"
FILE_ENDINGS: Final = frozenset(f"{_DOCUMENTS_AND_ARCHIVES} {_PROGRAMS}".split())

_PRONOUNS_AND_SMALL_WORDS: Final = (
    "able ad am as at be best by do got here hm how id in is it la like ma me my new next no now one pa so to today "
    "us you"
)
_ABBREVIATIONS: Final = (
    "abc ac ai bot cd ceo cm cpa cv dad diy dj eco esq fyi gb gg gmbh gop hiv im inc ing kg km lb lgbt llc llp lol "
    "ltd ltda mg mil mini ml mm mma mom mr ms ngo nr ong ooo pay pg ph phd photo photos pics pid pin pn pr pro promo "
    "pru rehab repair rip rsvp sarl sas sc srl st tel tm vet wow wtf xxx"
)
# Short words of other languages that the parties write (French, Italian, Spanish, German, Dutch, Danish, Polish, and
# Japanese in Latin letters), if few shops use the suffix.
_FOREIGN_SMALL_WORDS: Final = (
    "af al casa ci er et fage ga gratis il immo je jetzt juegos kaufen maison mit mo moda moi moto mu na ne ni nu "
    "om re reise reisen schule su tienda va vi viajes vin viva vivo voto weir wien"
)
_VERBS: Final = (
    "ally bid build buy call care catering chase chat claims cleaning click compare construction consulting contact "
    "cooking cool dance dating deal delivery design direct discover download drive eat events exchange express fail "
    "fish fishing fit flights fly forex gift gifts gives giving guide hangout help host hosting land lease lighting "
    "link live living love management market marketing markets meet open party ping pioneer place play plumbing "
    "post press protection racing read rent rest review reviews ricoh room run safe save search seat secure seek "
    "select sew shop shopping show skin sling smile spot storage stream study style sucks supply support surf "
    "surgery talk taxi trade trading training travel trust tube vacations vote voting voyage watch wed win work "
    "works"
)
_NOUNS: Final = (
    "academy accountant accountants actor ads adult agency airforce analytics apartments archi army art arte "
    "associates athleta attorney auction audible audio author auto autos baby band bank barefoot bargains baseball "
    "basketball beats beauty beer bet bible bike bingo bio black blackfriday blockbuster blog blue boats bom bond "
    "boo book booking boutique box broadway broker brother builders business buzz cafe camera camp canon capital "
    "car caravan cards career careers cars case cash casino cat catholic center channel charity cheap christmas "
    "church circle city clinic clothing cloud coach codes coffee college community company computer condos "
    "contractors coop country coupon coupons courses credit creditcard creditunion cricket crown cruise cruises "
    "date day dealer deals degree democrat dental dentist desi diamonds diet digital directory discount dish doctor "
    "dog domains earth education email energy engineer engineering enterprises equipment estate expert exposed "
    "extraspace faith family fan fans farm farmers fashion fast feedback film final finance financial fire fitness "
    "florist flowers food football forsale forum foundation free frontier fun fund furniture futbol gal gallery "
    "game games gap garden gay gent glass global gmo gold goldpoint golf graphics green gripe grocery group guitars "
    "guru hair haus health healthcare hiphop hockey holdings holiday homes horse hospital hot hotel hotels house "
    "ice industries infiniti institute insurance insure international intuit investments irish jewelry jobs jot joy "
    "kids kim kitchen kiwi kosher law lawyer legal lego life lifeinsurance lifestyle lilly limited limo lincoln "
    "loan loans locker locus lotto luxe luxury makeup man mango media meme memorial men menu mint mobile money "
    "monster mortgage motorcycles movie museum music name navy network news office omega onion oracle orange "
    "organic origins page pars partners parts pet pharmacy phone photography physio pictures pink pizza plus poker "
    "porn praxi prime productions progressive properties property quest radio realestate realtor realty recipes red "
    "rentals report republican restaurant rich rocks rodeo rugby safety sale salon scholarships school schwarz "
    "science security services seven sex sexy sharp shell shoes silk singles ski sky smart soccer social software "
    "solar solutions song soy spa space sport staples star statebank studio supplies swiss systems target tattoo "
    "tax team tech technology tennis theater theatre tickets tips tires tools top total tours town toys tunes "
    "university uno vanguard ventures video villas vip virgin vision vodka volvo watches weather web webcam wedding "
    "whoswho wiki windows wine winners world yachts yoga zero zone"
)
_PLACES: Final = (
    "abudhabi africa amsterdam arab barcelona berlin boston brussels capetown cologne corsica dubai durban hamburg "
    "helsinki istanbul kyoto latino london madrid melbourne miami moscow nagoya nyc okinawa osaka paris quebec rio "
    "ryukyu stockholm sydney taipei vegas wales yokohama zuerich"
)
_MAKERS_AND_SERVICES: Final = (
    "accenture aig airbus alibaba alipay allstate amazon amex android aol apple asda asia audi aws axa azure baidu "
    "barclays bayern bbc bestbuy bing bloomberg bmw boehringer bosch bridgestone calvinklein capitalone cbn chanel "
    "chrome cisco citi clinique datsun dell deloitte delta dhl dupont epson ericsson fedex ferrari fidelity fido "
    "firestone flickr flir ford fox fujitsu gallo gallup george gmail godaddy goodyear goog google gucci hbo hermes "
    "hitachi homedepot honda hotmail hyatt hyundai ibm ikano imdb jaguar jcb jeep jio kddi kia kindle komatsu "
    "lamborghini landrover lexus lidl lotte marriott mattel microsoft mitsubishi mlb moe mtn nba nec netflix nfl "
    "nhk nico nike nikon ninja nissan nokia norton ntt obi otsuka panasonic pfizer philips playstation rogers "
    "sakura samsung sandvik sanofi sap skype softbank sony suzuki swatch taobao tdk tmall toray toshiba toyota "
    "travelers ubs ups visa walmart walter wang weibo xbox xerox yahoo yandex yodobashi youtube zappos zara"
)
# Words in Japanese, Chinese, Korean and Russian letters that are public suffixes too.
_OTHER_SCRIPTS: Final = (
    "дети католик москва онлайн сайт みんな アマゾン クラウド グーグル ストア セール ファッション ポイント 世界 中国 中國 佛山 健康 八卦 公益 台湾 台灣 商城 商店 天主教 娱乐 "
    "家電 慈善 手机 政府 新加坡 書籍 游戏 澳門 澳门 移动 臺灣 谷歌 购物 通販 食品 餐厅 香港 삼성"
)
WORDS: Final = frozenset(
    f"""
    {_PRONOUNS_AND_SMALL_WORDS} {_ABBREVIATIONS} {_FOREIGN_SMALL_WORDS} {_VERBS} {_NOUNS} {_PLACES}
    {_MAKERS_AND_SERVICES} {_OTHER_SCRIPTS}
    """.split()
)
