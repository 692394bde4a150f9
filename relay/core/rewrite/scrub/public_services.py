"""Lists services that so many people use that their domains identify nobody (R-REW-01).

The mailbox providers of the shipped policy are public services too. A host below such a domain is public only if its
labels are the usual names of servers: `mail.google.com` identifies nobody, but `pottery.myshopify.com` is one shop and
`p7041-ipbf12.tokyo.ocn.ne.jp` is one line.
"""

from typing import Final

from relay.core.providers import MAILBOX_PROVIDERS

_MAIL: Final = (
    "aim.com bellsouth.net biglobe.jp bigpond.com bluewin.ch btopenworld.com centrum.cz charter.net cox.net "
    "disroot.org earthlink.net email.com eonet.jp exmail.qq.com foxmail.com free.fr freemail.hu freenet.de gmx.at "
    "gmx.ch gmx.co.uk gmx.fr home.ne.jp hotmail.co.uk hotmail.de hotmail.es hotmail.fr hotmail.it hushmail.com "
    "i.softbank.jp icloud.com.cn iij.ad.jp iijmio-mail.jp inbox.lv jcom.zaq.ne.jp juno.com kakao.com lycos.co.jp "
    "lycos.com mail.de mail.ee mailbox.org mailfence.com mineo.jp netscape.net netvigator.com netzero.net o2.pl "
    "odn.ne.jp onet.pl optonline.net optusnet.com.au outlook.com.br outlook.de outlook.es outlook.fr outlook.it "
    "outlook.kr pobox.com posteo.de posteo.net rediffmail.com riseup.net rocketmail.com runbox.com sbcglobal.net "
    "sfr.fr shaw.ca sina.cn sky.com sohu.com spark.ne.jp startmail.com swisscom.ch sympatico.ca talktalk.net "
    "telia.com telus.net terra.com.br tiscali.it tom.com uol.com.br uqmobile.jp verizon.net virgilio.it "
    "virginmedia.com wanadoo.fr wp.pl xtra.co.nz yahoo.ca yahoo.co.id yahoo.co.in yahoo.co.kr yahoo.co.nz yahoo.co.uk "
    "yahoo.com.ar yahoo.com.au yahoo.com.br yahoo.com.cn yahoo.com.hk yahoo.com.mx yahoo.com.ph yahoo.com.sg "
    "yahoo.com.tw yahoo.com.vn yahoo.de yahoo.es yahoo.fr yahoo.ie yahoo.in yahoo.it yahoo.ne.jp yahoo.se "
    "yahoogroups.com yandex.by yandex.kz yandex.ua ybb.ne.jp yeah.net ziggo.nl zoho.eu zoho.in zoho.jp zohomail.com"
)
_SOFTWARE_AND_WEB: Final = (
    "adobe.com amazon.co.jp amazon.co.uk amazon.com amazon.de amazon.es amazon.fr amazon.it apple.com atlassian.com "
    "atlassian.net bing.com bitbucket.org canva.com chatwork.com cybozu.com docusign.com docusign.net dropbox.com "
    "ebay.co.uk ebay.com ebay.de evernote.com facebook.com facebookmail.com figma.com github.com gitlab.com goo.gl "
    "google.co.jp google.co.uk google.com google.de googlegroups.com googleusercontent.com instagram.com kddi.com "
    "kuronekoyamato.co.jp line.me linkedin.com live.net mercari.com microsoft.com microsoftonline.com notion.so "
    "ntt.com office.com office365.com onedrive.com paypal.co.jp paypal.com pinterest.com rakuten.co.jp rakuten.ne.jp "
    "reddit.com salesforce.com sharepoint.com shopify.com skype.com slack.com smartsheet.com sourceforge.net "
    "stripe.com teams.microsoft.com tiktok.com tumblr.com twitter.com wechat.com wikipedia.org windows.com "
    "windows.net wordpress.com x.com yahooapis.com youtu.be youtube.com zoom.us"
)
_SENDING_AND_SHOPS: Final = (
    "activehosted.com amazonses.com antispamcloud.com appspotmail.com barracudanetworks.com base.ec bigcommerce.com "
    "blastmail.jp braze.com brevo.com campaign-monitor.com cloudflare.com cmail19.com cmail20.com constantcontact.com "
    "convertkit.com createsend.com cuenote.jp customeriomail.com ecforce.jp elasticemail.com emailsrvr.com etsy.com "
    "exacttarget.com firebaseapp.com freshdesk.com freshemail.io front-mail.com frontapp.com futureshop.jp "
    "getresponse.com gmoserver.jp gorgias.com gorgias.io gridserver.com helpscout.com helpscout.net heteml.jp "
    "hostedemail.com hubspot.com hubspotemail.net intercom-mail.com intercom.io kagoya.net klaviyo.com "
    "klaviyomail.com lolipop.jp magento.com mailchannels.net mailchimp.com mailchimpapp.net mailerlite.com "
    "mailersend.com mailersend.net mailgun.com mailgun.net mailgun.org mailjet.com mailroute.net mailtrap.io "
    "makeshop.jp mandrillapp.com marketo.com mcdlv.net mcsv.net messagelabs.com messagingengine.com migadu.com "
    "mimecast.com mktomail.com mlsend.com mtasv.net muumuu-mail.com netsuite.com notification.shopify.com "
    "omnisend.com ovh.net postmarkapp.com ppe-hosted.com pphosted.com prestashop.com privateemail.com "
    "protection.outlook.com protonmail.ch qoo10.jp rsgsv.net sakura.ne.jp salesforce-mail.com secureserver.net "
    "sendgrid.com sendgrid.info sendgrid.net sendinblue.com sendpulse.com shop-pro.jp shopifyemail.com shopserve.jp "
    "spamexperts.com sparkpost.com sparkpostmail.com squarespace.com stores.jp titan.email trendmicro.com "
    "trendmicro.eu value-server.com wix.com woocommerce.com xserver.jp xserver.ne.jp yamato-hd.co.jp zendesk.com "
    "zoho-mail.com zohocorp.com"
)
DOMAINS: Final = MAILBOX_PROVIDERS | frozenset(f"{_MAIL} {_SOFTWARE_AND_WEB} {_SENDING_AND_SHOPS}".split())
"""The domains of public services, in lower case."""

_SERVER_NAMES: Final = frozenset(
    """
    account accounts api app autodiscover calendar click docs drive edge email exchange help imap login m mail maps
    media meet mobile mta mx my notifications ns office outlook photos pop pop3 relay send sites smtp smtpclient
    smtpin smtpout smtps spf static store support web webmail www
    """.split()  # noqa: SIM905 - a table to read, not thirty lines
)


def is_public(host: str) -> bool:
    """Returns whether a host, in lower case, is a public service or one of its usual servers."""
    while host not in DOMAINS:
        label, _, host = host.partition(".")
        if not host or label not in _SERVER_NAMES:
            return False
    return True
