//! Invented people of many countries: given names, surnames, telephone numbers, e-mail domains.
//!
//! Every domain is one that belongs to nobody (RFC 2606 and RFC 6761), and the numbers come from
//! the digits that the generator throws, so nobody real is met except by chance.

/// How people of one country are called.
pub(super) struct Country {
    /// Value of the metadata column `country`.
    pub(super) code: &'static str,
    pub(super) given: &'static [&'static str],
    pub(super) family: &'static [&'static str],
    /// Every `#` stands for a digit.
    pub(super) phone: &'static str,
    pub(super) domain: &'static str,
}

/// Teams of every tenant.
pub(super) const TEAMS: [&str; 4] = ["Billing", "Delivery", "Sales", "Service desk"];

/// Answers in words, with the score that goes with them.
pub(super) const COMMENTS: [(i32, &str); 10] = [
    (10, "Everything went well, thank you."),
    (9, "Sehr freundlich und schnell."),
    (9, "とても親切でした。"),
    (8, "Rápido y sin problemas."),
    (8, "Un seul appel a suffi."),
    (7, "Dobrze, ale długo czekałem."),
    (6, "Η παράδοση άργησε λίγο."),
    (5, "في المرة القادمة أسرع من فضلك"),
    (3, "Перезвонили только через три дня."),
    (1, "Nobody answered. Nobody at all. 😡"),
];

/// What tenants write back.
pub(super) const REPLIES: [&str; 3] = [
    "Thank you for telling us. We are on it.",
    "We are sorry, and have passed this on to the team.",
    "Glad to hear it!",
];

pub(super) const COUNTRIES: [Country; 16] = [
    Country {
        code: "BE",
        given: &["Ann", "Jonas", "Élise", "Wout", "Noor", "Maxime"],
        family: &[
            "Peeters",
            "Janssens",
            "Dubois",
            "Van den Bossche",
            "Lambert",
        ],
        phone: "+32 4## ## ## ##",
        domain: "mail.example",
    },
    Country {
        code: "DE",
        given: &["Jürgen", "Anke", "Björn", "Käthe", "Lukas", "Sofie"],
        family: &["Müller", "Weiß", "Schröder", "Öztürk", "von der Heide"],
        phone: "+49 15## #######",
        domain: "example.org",
    },
    Country {
        code: "FR",
        given: &["Chloé", "François", "Zoé", "Loïc", "Anaïs"],
        family: &["Lefèvre", "D’Aubigné", "Moreau", "Garçon", "Benoît"],
        phone: "+33 6 ## ## ## ##",
        domain: "courrier.invalid",
    },
    Country {
        code: "PL",
        given: &["Łukasz", "Małgorzata", "Zbigniew", "Świętosława", "Jędrzej"],
        family: &["Wójcik", "Żółkiewska", "Kowalczyk", "Ślusarz"],
        phone: "+48 ### ### ###",
        domain: "poczta.example",
    },
    Country {
        code: "ES",
        given: &["Íñigo", "Begoña", "José María", "Lucía", "Ramón"],
        family: &["Muñoz", "García Núñez", "Ibáñez", "Peña"],
        phone: "+34 6## ### ###",
        domain: "example.com",
    },
    Country {
        code: "GR",
        given: &["Γιώργος", "Ελένη", "Άννα", "Δημήτρης"],
        family: &["Παπαδόπουλος", "Νικολάου", "Ωνάσης"],
        phone: "+30 69# ### ####",
        domain: "παράδειγμα.invalid",
    },
    Country {
        code: "UA",
        given: &["Олена", "Їжак", "Тарас", "Наталія"],
        family: &["Шевченко", "Ґалаґан", "Коваль", "Бондар"],
        phone: "+380 ## ### ## ##",
        domain: "пошта.invalid",
    },
    Country {
        code: "TR",
        given: &["Işıl", "İbrahim", "Çağla", "Oğuz"],
        family: &["Yılmaz", "Güneş", "Şahin", "Kılıç"],
        phone: "+90 5## ### ## ##",
        domain: "posta.example",
    },
    Country {
        code: "EG",
        given: &["محمد", "فاطمة", "يوسف", "ليلى"],
        family: &["المصري", "حسن", "عبد الرحمن"],
        phone: "+20 1# #### ####",
        domain: "example.net",
    },
    Country {
        code: "IL",
        given: &["נועה", "יצחק", "תמר", "אורי"],
        family: &["כהן", "לוי", "בן־דוד"],
        phone: "+972 5#-###-####",
        domain: "example.com",
    },
    Country {
        code: "IN",
        given: &["प्रिया", "अर्जुन", "தமிழ்", "Lakshmi", "Rohan"],
        family: &["शर्मा", "पटेल", "Iyer", "Subramaniam"],
        phone: "+91 9#### #####",
        domain: "daak.invalid",
    },
    Country {
        code: "JP",
        given: &["さくら", "健太", "美咲", "ユウキ"],
        family: &["佐藤", "鈴木", "髙橋", "渡邉"],
        phone: "+81 90-####-####",
        domain: "例え.invalid",
    },
    Country {
        code: "KR",
        given: &["민준", "서연", "지우", "하은"],
        family: &["김", "이", "박", "최"],
        phone: "+82 10-####-####",
        domain: "example.org",
    },
    Country {
        code: "BR",
        given: &["João", "Conceição", "Antônio", "Luíza"],
        family: &["da Conceição", "Gonçalves", "Araújo", "São Pedro"],
        phone: "+55 11 9####-####",
        domain: "correio.example",
    },
    Country {
        code: "NZ",
        given: &["Māia", "Tāne", "Aroha", "Oliver", "Charlotte"],
        family: &["Ngāta", "Walker", "O’Connor", "Pōtatau"],
        phone: "+64 21 ### ####",
        domain: "example.net",
    },
    Country {
        code: "VN",
        given: &["Nguyệt", "Đức", "Thảo", "Hùng"],
        family: &["Nguyễn", "Trần", "Phạm", "Đặng"],
        phone: "+84 9# ### ## ##",
        domain: "thu.invalid",
    },
];
