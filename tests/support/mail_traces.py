"""The trace fields that the providers of buyers and shops write.

They have the form of real ones; all names of people, private domains and addresses are invented.
"""

from typing import Final, NamedTuple

DATE: Final = "Mon, 06 Jul 2026 10:00:00 +0900"


class Trace(NamedTuple):
    """The trace of a mail: its header fields, the session, and the names in it.

    `identifying` are the names of machines and private domains, which must not reach the other side. `common` are names
    in the trace that identify nobody, such as the domain of the provider.
    """

    provider: str
    fields: tuple[str, ...]
    helo: str
    client_ip: str
    identifying: tuple[str, ...]
    common: tuple[str, ...] = ()


TRACES: Final = (
    Trace(
        "Gmail web",
        (
            "Received: by mail-yw1-f173.google.com with SMTP id 00721157ae682-70e7ef.1\r\n        for <x@market.example>",
            "X-Received: by 2002:a05:690c:6ac8:b0:6fb:b1dd:c6d3 with SMTP id 00721157ae682.42.1751763600000",
            "Message-ID: <CAA+b1fH8k3x0wQ@mail.gmail.com>",
        ),
        "mail-yw1-f173.google.com",
        "203.0.113.173",
        ("mail-yw1-f173.google.com", "203.0.113.173"),
        ("mail.gmail.com", "gmail.com", "google.com", "mail.google.com"),
    ),
    Trace(
        "Gmail by SMTP",
        (
            (
                "Received: from [192.168.11.7] (p7041-ipbf12.tokyo.ocn.ne.jp. [203.0.113.41])\r\n        by smtp.gmail.com"
                " with ESMTPSA id d9443c01a7336-1fac.2026.07.06.10\r\n        (version=TLS1_3 cipher=TLS_AES_128_GCM_SHA256)"
            ),
            "Message-ID: <5d1d@gmail.com>",
        ),
        "mail-pl1-f181.google.com",
        "203.0.113.181",
        ("p7041-ipbf12.tokyo.ocn.ne.jp", "192.168.11.7", "203.0.113.41"),
        ("smtp.gmail.com", "gmail.com", "ocn.ne.jp"),
    ),
    Trace(
        "Google Workspace",
        (
            "Received: by mail-ed1-f44.google.com with SMTP id 4fb4d7f45d1cf.3",
            (
                "Authentication-Results: mx.google.com; dkim=pass header.i=@pottery.example header.s=google;"
                " spf=pass smtp.mailfrom=shop@pottery.example; dmarc=pass header.from=pottery.example"
            ),
            "Message-ID: <CAFk2@mail.gmail.com>",
        ),
        "mail-ed1-f44.google.com",
        "203.0.113.44",
        ("mail-ed1-f44.google.com", "pottery.example", "www.pottery.example"),
        ("google.com", "mail.gmail.com"),
    ),
    Trace(
        "Outlook.com",
        (
            "Received: from TYCPR01MB1234.jpnprd01.prod.outlook.com (2603:1096:400:3d0::7)\r\n by"
            " OS0PR01MB5922.jpnprd01.prod.outlook.com (2603:1096:604:bb::5) with\r\n Microsoft SMTP Server"
            " (version=TLS1_2,\r\n cipher=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384) id 15.20.8534.34; " + DATE,
            "Message-ID: <TYCPR01MB1234A1B2@TYCPR01MB1234.jpnprd01.prod.outlook.com>",
        ),
        "TYVP286CU001.outbound.protection.outlook.com",
        "2a01:111:f403:c405::1",
        ("TYCPR01MB1234.jpnprd01.prod.outlook.com", "2603:1096:400:3d0::7", "2a01:111:f403:c405::1"),
        ("outlook.com", "protection.outlook.com"),
    ),
    Trace(
        "Microsoft 365 with an own domain",
        (
            (
                "Received: from OSAPR01MB5028.jpnprd01.prod.outlook.com (203.0.113.149) by\r\n"
                " OSAPR01MB2466.jpnprd01.prod.outlook.com (203.0.113.74) with Microsoft SMTP\r\n Server id 15.20.2772.18"
            ),
            "X-Originating-IP: [198.51.100.71]",
            "Authentication-Results: spf=none (sender IP is )\r\n smtp.mailfrom=info@kiln-works.example;",
            "Message-ID: <OSAPR01MB5028@kilnworks.onmicrosoft.com>",
        ),
        "JPN01-OS2-obe.outbound.protection.outlook.com",
        "203.0.113.90",
        ("198.51.100.71", "kiln-works.example", "kilnworks.onmicrosoft.com"),
        ("outlook.com",),
    ),
    Trace(
        "Exchange on the premises",
        (
            "Received: from EX2019-01.corp.kobe-glass.example ([fe80::a1:b2]) by\r\n EX2019-02.corp.kobe-glass.example"
            " ([fe80::a1:b3%14]) with mapi id 15.01.2507.039; " + DATE,
            "Received: from exchange.kobe-glass.example (10.181.198.38) by edge with Microsoft SMTP Server id 14.3.123.4",
            "Message-ID: <8f3e@EX2019-01.corp.kobe-glass.example>",
        ),
        "exchange.kobe-glass.example",
        "198.51.100.140",
        ("EX2019-01.corp.kobe-glass.example", "10.181.198.38", "fe80::a1:b2", "exchange.kobe-glass.example"),
        ("14.3.123.4",),
    ),
    Trace(
        "iCloud, from a Mac",
        (
            (
                "Received: from smtpclient.apple (unknown [17.57.154.37])\r\n\tby mr85p00im-ztdg06021201.me.com (Postfix)"
                " with ESMTPSA id 8C2F"
            ),
            "Message-Id: <5A1B@icloud.com>",
            "Received: from Hanakos-MacBook-Pro.local (softbank126000000009.bbtec.net [198.51.100.9]) by p00.me.com",
        ),
        "mr85p00im-ztdg06021201.me.com",
        "198.51.100.12",
        ("Hanakos-MacBook-Pro.local", "softbank126000000009.bbtec.net", "198.51.100.9", "17.57.154.37"),
        ("icloud.com", "me.com", "unknown"),
    ),
    Trace(
        "Yahoo! Japan",
        (
            "Received: from unknown (HELO hanako-pc) (hanako@198.51.100.61 with plain)\r\n  by"
            " smtp5006.mail.kks.ynwp.yahoo.co.jp with SMTP; " + DATE,
            "X-YMail-OSG: abc",
            "Message-ID: <20260706@yahoo.co.jp>",
        ),
        "nh602-vm12.bullet.mail.kks.yahoo.co.jp",
        "198.51.100.112",
        ("198.51.100.61", "smtp5006.mail.kks.ynwp.yahoo.co.jp"),
        ("yahoo.co.jp", "unknown", "plain"),
    ),
    Trace(
        "Yahoo",
        (
            "Received: from sonic.gate.mail.ne1.yahoo.com by sonic312.consmr.mail.ne1.yahoo.com with HTTP; " + DATE,
            "Received: by hermes--production-gq1-5d4c45758c (Yahoo Inc. Hermes SMTP Server) with ESMTPA ID 6f2c;",
            "Message-ID: <1234567890.1234@mail.yahoo.com>",
        ),
        "sonic312-23.consmr.mail.ne1.yahoo.com",
        "198.51.100.23",
        ("sonic312-23.consmr.mail.ne1.yahoo.com", "sonic312.consmr.mail.ne1.yahoo.com"),
        ("yahoo.com", "mail.yahoo.com", "hermes"),
    ),
    Trace(
        "docomo",
        (
            "Received: from mail108.docomo.ne.jp (localhost [127.0.0.1])\r\n by localhost.docomo.ne.jp (Postfix) with"
            " ESMTP id 6A1B2C3D4E5\r\n for <x@market.example>; " + DATE,
            "Message-ID: <20260706100000.1A2B@docomo.ne.jp>",
        ),
        "docomo.ne.jp",
        "203.0.113.108",
        ("mail108.docomo.ne.jp", "203.0.113.108"),
        ("docomo.ne.jp", "localhost", "127.0.0.1"),
    ),
    Trace(
        "au",
        (
            "Received: from nmomta.auone-net.jp by dmta0107.auone-net.jp with ESMTP id <20260706@dmta0107.auone-net.jp>",
            "Message-ID: <1.2.3@ezweb.ne.jp>",
        ),
        "lsean.ezweb.ne.jp",
        "203.0.113.33",
        ("dmta0107.auone-net.jp", "203.0.113.33"),
        ("ezweb.ne.jp", "au.com"),
    ),
    Trace(
        "SoftBank",
        (
            "Received: from [10.34.1.2] (10.34.1.2) by mmrts097p01c.softbank.ne.jp (authenticated as hanako)",
            "Message-ID: <M0000@i.softbank.jp>",
        ),
        "mmrts097p01c.softbank.ne.jp",
        "203.0.113.97",
        ("mmrts097p01c.softbank.ne.jp", "10.34.1.2"),
        ("i.softbank.jp", "softbank.ne.jp"),
    ),
    Trace(
        "GMX",
        (
            "Received: from [198.51.100.15] ([198.51.100.15]) by web-mail.gmx.net (3c-app-gmx-bs47.server.lan [172.19.170.99])"
            " (via\r\n HTTP); " + DATE,
            "Message-ID: <trinity-1a2b-1751763600@3c-app-gmx-bs47>",
        ),
        "mout.gmx.net",
        "203.0.113.15",
        ("3c-app-gmx-bs47.server.lan", "172.19.170.99", "198.51.100.15", "mout.gmx.net"),
        ("gmx.net",),
    ),
    Trace(
        "T-Online",
        (
            (
                "Received: from fwd88.aul.t-online.de (fwd88.aul.t-online.de [10.223.144.114])\r\n\tby mailout11.t-online.de"
                " (Postfix) with SMTP id 1B"
            ),
            "Received: from Anna-Laptop ([198.51.100.77]) by fwd88.t-online.de\r\n\twith esmtp id 1rZ; " + DATE,
            "Message-ID: <000001da$1$2@t-online.de>",
        ),
        "mailout11.t-online.de",
        "203.0.113.11",
        ("fwd88.aul.t-online.de", "10.223.144.114", "198.51.100.77", "mailout11.t-online.de"),
        ("t-online.de",),
    ),
    Trace(
        "Postfix, submitted locally",
        (
            "Received: by web.shop-server.example (Postfix, from userid 33)\r\n\tid 4Hk2; " + DATE,
            "X-PHP-Originating-Script: 33:mail.php",
            "Message-Id: <20260706010000.4Hk2@web.shop-server.example>",
        ),
        "web.shop-server.example",
        "203.0.113.200",
        ("web.shop-server.example", "203.0.113.200"),
        ("userid", "mail.php", "from"),
    ),
    Trace(
        "Exim, with a word as HELO",
        (
            "Received: from [198.51.100.7] (helo=there)\r\n\tby out.isp-north.example with smtp (Exim 4.97.1)\r\n\tid 17auB1; "
            + DATE,
            "Received: from list (host7.isp-north.example [198.51.100.8]) by out.isp-north.example with ESMTP id 1",
            "Message-ID: <E1abc-0001@dave>",
        ),
        "there",
        "203.0.113.7",
        ("out.isp-north.example", "host7.isp-north.example", "198.51.100.7"),
        ("there", "list", "dave", "4.97.1"),
    ),
    Trace(
        "qmail",
        (
            "Received: (qmail 6338 invoked by uid 399); 6 Jul 2026 01:00:00 -0000",
            "Received: from unknown (HELO smtp) (198.51.100.34) by 0 with SMTP",
            "Message-ID: <20260706.6338.qmail@sv1234.hosting-west.example>",
        ),
        "sv1234.hosting-west.example",
        "203.0.113.34",
        ("sv1234.hosting-west.example", "198.51.100.34"),
        ("qmail", "smtp", "unknown", "invoked"),
    ),
    Trace(
        "Sendmail, with a desktop",
        (
            (
                "Received: from DESKTOP-7Q2K9AB (dsl-198-51-100-66.isp-south.example [198.51.100.66])\r\n\t(authenticated bits=0)"
                "\r\n\tby mail.isp-south.example (8.17.1/8.17.1) with ESMTPSA id 4661"
            ),
            "Message-ID: <004501db$abc$def@DESKTOP-7Q2K9AB>",
        ),
        "mail.isp-south.example",
        "203.0.113.66",
        ("dsl-198-51-100-66.isp-south.example", "198.51.100.66", "mail.isp-south.example"),
        ("8.17.1", "authenticated", "bits"),
    ),
    Trace(
        "Shopify",
        (
            "Received: from smtp-out-6b7f.shopifyemail.com (unknown [203.0.113.51]) by mx",
            "X-Shopify-Shop: blue-bowl",
            "Message-ID: <668@blue-bowl.myshopify.com>",
        ),
        "a27-51.shopifyemail.com",
        "203.0.113.51",
        ("blue-bowl.myshopify.com", "203.0.113.51"),
        ("shopify.com", "shopifyemail.com"),
    ),
    Trace(
        "Amazon SES",
        (
            "Received: from a35-129.smtp-out.amazonses.com (a35-129.smtp-out.amazonses.com. [203.0.113.129])\r\n        by mx",
            "Message-ID: <010001760578a386-d5af97b2-000000@email.amazonses.com>",
        ),
        "a35-129.smtp-out.amazonses.com",
        "203.0.113.129",
        ("a35-129.smtp-out.amazonses.com", "203.0.113.129"),
        ("amazonses.com", "email.amazonses.com", "amazon.co.jp"),
    ),
    Trace(
        "SendGrid",
        (
            "Received: by recvd-66b84f6d7b-m6747 with SMTP id recvd-66b84f6d7b-m6747-1-67F168DA-3C\r\n\t2026-07-06 01:00:00",
            "Received: from NDUzMjk0NDA (unknown)\r\n\tby geopod-ismtpd-26 (SG) with HTTP\r\n\tid LxC38bxLQGSj4ZXMkIfZWQ",
            "Message-ID: <LxC38bxLQGSj4ZXMkIfZWQ@geopod-ismtpd-26>",
        ),
        "o1.ptr1234.kilnshop.example",
        "203.0.113.26",
        ("o1.ptr1234.kilnshop.example", "203.0.113.26"),
        ("sendgrid.net", "unknown"),
    ),
    Trace(
        "Zendesk",
        (
            "Received: from out1.pod17.euw1.zdsys.com (unknown [203.0.113.17]) by mx",
            "Message-ID: <ABC_668_sprut@zendesk.com>",
        ),
        "outbyoip17.pod17.euw1.zdsys.com",
        "203.0.113.17",
        ("out1.pod17.euw1.zdsys.com", "203.0.113.17"),
        ("zendesk.com", "support.zendesk.com"),
    ),
    Trace(
        "Mailgun",
        (
            "Received: from kiln-shop.example (unknown [198.51.100.19]) by 3f1a2b with HTTP; " + DATE,
            "Message-Id: <20260706010000.1a2b@mg.kiln-shop.example>",
        ),
        "m204-20.eu.mailgun.net",
        "203.0.113.20",
        ("kiln-shop.example", "mg.kiln-shop.example", "m204-20.eu.mailgun.net"),
        ("mailgun.net", "mailgun.org"),
    ),
    Trace(
        "Sakura hosting",
        (
            "Received: from www1234.sakura.ne.jp (localhost [127.0.0.1])\r\n\tby www1234.sakura.ne.jp (8.16.1/8.16.1) with ESMTP",
            "Received: from fsav101.sakura.ne.jp (fsav101.sakura.ne.jp [198.51.100.101]) by www1234.sakura.ne.jp",
            "Message-ID: <abc@utsuwa-shop.example>",
        ),
        "www1234.sakura.ne.jp",
        "203.0.113.101",
        ("www1234.sakura.ne.jp", "utsuwa-shop.example", "198.51.100.101"),
        ("sakura.ne.jp", "localhost"),
    ),
    Trace(
        "Rakuten shop",
        (
            "Received: from rms-mail-out11.rms.rakuten.co.jp by mx with ESMTP id 1",
            "Message-ID: <5.6.7.JavaMail.rms@pmrmsapp101>",
        ),
        "rms-mail-out11.rms.rakuten.co.jp",
        "203.0.113.211",
        ("rms-mail-out11.rms.rakuten.co.jp", "203.0.113.211"),
        ("rakuten.co.jp", "mail"),
    ),
    Trace(
        "ProtonMail",
        (
            "Received: from mail-40131.protonmail.ch by mx with ESMTP",
            "Message-ID: <kX3a_Zb1@pm.me>",
        ),
        "mail-40131.protonmail.ch",
        "203.0.113.131",
        ("mail-40131.protonmail.ch", "203.0.113.131"),
        ("proton.me", "pm.me", "protonmail.com"),
    ),
    Trace(
        "Fastmail",
        (
            "Received: from phl-mailfrontend-01 ([10.202.2.162])\r\n  by phl-compute-04.internal (MEProxy); " + DATE,
            "Received: by mailuser.phl.internal (Postfix, from userid 501)\r\n\tid 2",
            "Message-Id: <6f1e@app.fastmail.com>",
        ),
        "fhigh-a1-smtp.messagingengine.com",
        "203.0.113.162",
        ("phl-compute-04.internal", "10.202.2.162", "mailuser.phl.internal"),
        ("fastmail.com", "userid"),
    ),
)
"""The traces of mailbox providers, mobile carriers, servers and shop systems."""
