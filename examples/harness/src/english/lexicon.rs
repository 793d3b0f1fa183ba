//! The words of the generated sentences.
//!
//! Words belong to a theme (a baker kneads dough, a sailor repairs a boat), so that the beginning
//! of a sentence says something about its end; every word here inflects regularly.

/// Words that go together.
pub struct Theme {
    /// Kinds of people.
    pub people: &'static [&'static str],
    /// Things that are acted upon.
    pub things: &'static [&'static str],
    /// Where it happens; spoken of with `in`, `near`, `behind`.
    pub places: &'static [&'static str],
    /// What people do to things.
    pub verbs: &'static [&'static str],
    /// What things are like.
    pub qualities: &'static [&'static str],
}

/// The themes a sentence is drawn from.
pub const THEMES: &[Theme] = &[
    Theme {
        people: &[
            "farmer",
            "shepherd",
            "gardener",
            "dairymaid",
            "beekeeper",
            "ploughman",
            "miller",
            "labourer",
        ],
        things: &[
            "field", "goat", "cow", "carrot", "pumpkin", "orchard", "fence", "tractor", "seed",
            "hen", "lamb", "beehive", "turnip", "apple", "haystack", "plough",
        ],
        places: &["barn", "meadow", "stable", "valley", "greenhouse", "hayloft"],
        verbs: &[
            "plant", "water", "harvest", "feed", "guard", "gather", "count", "inspect", "weed",
            "plough",
        ],
        qualities: &["muddy", "ripe", "fertile", "green", "woolly", "stubborn"],
    },
    Theme {
        people: &[
            "sailor",
            "captain",
            "fisher",
            "pilot",
            "diver",
            "lighthouse-keeper",
            "pirate",
            "mate",
        ],
        things: &[
            "boat", "anchor", "rope", "lantern", "oyster", "whale", "dolphin", "barrel", "chart",
            "compass", "rudder", "crab", "oar", "island", "sail", "pearl",
        ],
        places: &["harbour", "lagoon", "cabin", "port", "bay", "pier"],
        verbs: &[
            "repair", "load", "paint", "anchor", "row", "chase", "follow", "lower", "hoist",
            "salute",
        ],
        qualities: &["salty", "wooden", "rusty", "distant", "stormy", "floating"],
    },
    Theme {
        people: &["baker", "cook", "waiter", "grocer", "brewer", "butcher", "taster", "guest"],
        things: &[
            "pie", "onion", "pancake", "kettle", "spoon", "sausage", "soup", "bowl", "cake",
            "oven", "lemon", "biscuit", "plate", "melon", "jar", "dumpling",
        ],
        places: &["kitchen", "bakery", "cellar", "pantry", "tavern", "cafe"],
        verbs: &[
            "bake", "taste", "boil", "roast", "serve", "sweeten", "season", "slice", "order",
            "burn",
        ],
        qualities: &["sour", "sweet", "crisp", "tender", "bitter", "warm"],
    },
    Theme {
        people: &[
            "teacher",
            "pupil",
            "student",
            "professor",
            "librarian",
            "tutor",
            "poet",
            "scholar",
        ],
        things: &[
            "book",
            "pencil",
            "lesson",
            "riddle",
            "notebook",
            "answer",
            "question",
            "poem",
            "essay",
            "blackboard",
            "sum",
            "map",
            "story",
            "letter",
            "exam",
            "alphabet",
        ],
        places: &["school", "library", "classroom", "college", "museum", "hall"],
        verbs: &[
            "explain",
            "learn",
            "recite",
            "copy",
            "correct",
            "remember",
            "translate",
            "discuss",
            "ignore",
            "repeat",
        ],
        qualities: &["difficult", "famous", "short", "boring", "clever", "ancient"],
    },
    Theme {
        people: &[
            "driver",
            "merchant",
            "policeman",
            "banker",
            "tailor",
            "porter",
            "thief",
            "mayor",
        ],
        things: &[
            "taxi",
            "shop",
            "ticket",
            "coin",
            "lamp",
            "tram",
            "window",
            "coat",
            "hat",
            "newspaper",
            "bridge",
            "tower",
            "wallet",
            "umbrella",
            "suitcase",
            "bicycle",
        ],
        places: &["market", "street", "station", "square", "palace", "tunnel"],
        verbs: &[
            "sell", "borrow", "deliver", "rent", "collect", "fold", "park", "polish", "reward",
            "return",
        ],
        qualities: &["noisy", "crowded", "cheap", "expensive", "shiny", "narrow"],
    },
    Theme {
        people: &[
            "hunter",
            "ranger",
            "woodcutter",
            "hermit",
            "painter",
            "traveller",
            "scout",
            "trapper",
        ],
        things: &[
            "bear", "owl", "fox", "squirrel", "tree", "mushroom", "path", "nest", "wolf", "fern",
            "acorn", "trail", "badger", "river", "raven", "log",
        ],
        places: &["forest", "clearing", "cave", "hut", "swamp", "canyon"],
        verbs: &[
            "track", "climb", "watch", "scare", "avoid", "sketch", "discover", "frighten",
            "protect", "shelter",
        ],
        qualities: &["wild", "hollow", "shady", "silent", "mossy", "dangerous"],
    },
    Theme {
        people: &[
            "carpenter",
            "blacksmith",
            "engineer",
            "plumber",
            "potter",
            "mason",
            "weaver",
            "apprentice",
        ],
        things: &[
            "hammer", "nail", "table", "chair", "ladder", "pipe", "engine", "wheel", "hinge",
            "bolt", "drawer", "vase", "machine", "brick", "carpet", "handle",
        ],
        places: &["workshop", "garage", "factory", "yard", "attic", "shed"],
        verbs: &[
            "build", "fasten", "measure", "hammer", "saw", "assemble", "sand", "turn", "oil",
            "invent",
        ],
        qualities: &["sturdy", "broken", "heavy", "useful", "smooth", "crooked"],
    },
    Theme {
        people: &[
            "actor",
            "singer",
            "dancer",
            "violinist",
            "drummer",
            "director",
            "composer",
            "clown",
        ],
        things: &[
            "song", "drum", "violin", "mask", "costume", "curtain", "melody", "stage", "puppet",
            "trumpet", "ballad", "concert", "joke", "flute", "piano", "mirror",
        ],
        places: &["theatre", "studio", "gallery", "circus", "ballroom", "tent"],
        verbs: &[
            "play", "perform", "rehearse", "applaud", "compose", "record", "announce", "admire",
            "tune", "whistle",
        ],
        qualities: &["loud", "cheerful", "gentle", "colourful", "solemn", "graceful"],
    },
    Theme {
        people: &[
            "doctor", "nurse", "surgeon", "patient", "dentist", "chemist", "helper", "visitor",
        ],
        things: &[
            "bandage", "pill", "tooth", "needle", "fever", "wound", "bottle", "chart", "bed",
            "blanket", "remedy", "bone", "plaster", "mirror", "ointment", "crutch",
        ],
        places: &["hospital", "clinic", "ward", "pharmacy", "laboratory", "office"],
        verbs: &[
            "examine",
            "cure",
            "treat",
            "clean",
            "label",
            "wash",
            "prescribe",
            "cover",
            "test",
            "heal",
        ],
        qualities: &["painful", "clean", "fresh", "weak", "healthy", "broken"],
    },
    Theme {
        people: &[
            "astronomer",
            "astronaut",
            "physicist",
            "inventor",
            "mathematician",
            "observer",
            "robot",
            "scientist",
        ],
        things: &[
            "star",
            "planet",
            "comet",
            "telescope",
            "rocket",
            "signal",
            "crater",
            "meteor",
            "satellite",
            "moon",
            "formula",
            "theory",
            "galaxy",
            "experiment",
            "orbit",
            "lens",
        ],
        places: &["observatory", "desert", "crater", "spaceship", "dome", "basement"],
        verbs: &[
            "observe",
            "predict",
            "calculate",
            "launch",
            "detect",
            "photograph",
            "describe",
            "explore",
            "name",
            "confirm",
        ],
        qualities: &["bright", "cold", "faint", "enormous", "round", "mysterious"],
    },
];

/// Women's first names.
pub const WOMEN: &[&str] = &[
    "Anna",
    "Clara",
    "Emma",
    "Greta",
    "Hilda",
    "Ingrid",
    "Julia",
    "Katharina",
    "Laura",
    "Maria",
    "Nora",
    "Olga",
    "Paula",
    "Rosa",
    "Sophie",
    "Tilda",
    "Ursula",
    "Vera",
    "Wilma",
    "Zoe",
];

/// Men's first names.
pub const MEN: &[&str] = &[
    "Adam", "Boris", "Conrad", "David", "Emil", "Felix", "George", "Henry", "Ivan", "Jacob",
    "Karl", "Leo", "Martin", "Noah", "Oscar", "Peter", "Robert", "Simon", "Thomas", "Victor",
];

/// What anyone or anything may be like.
pub const QUALITIES: &[&str] = &[
    "old",
    "young",
    "small",
    "large",
    "little",
    "tall",
    "beautiful",
    "ugly",
    "strange",
    "new",
    "good",
    "bad",
    "black",
    "white",
    "red",
    "blue",
    "happy",
    "sad",
    "lucky",
    "honest",
    "lazy",
    "brave",
    "quiet",
    "angry",
    "tired",
    "proud",
    "friendly",
    "careful",
    "hungry",
    "wise",
];

/// How something is done.
pub const MANNERS: &[&str] = &[
    "slowly",
    "quickly",
    "quietly",
    "carefully",
    "gladly",
    "badly",
    "proudly",
    "secretly",
    "calmly",
    "eagerly",
    "patiently",
    "rarely",
    "suddenly",
    "gently",
    "bravely",
];

/// When it was.
pub const PAST: &[&str] = &[
    "yesterday",
    "last week",
    "last winter",
    "an hour ago",
    "on Monday",
    "long ago",
    "this morning",
];

/// When it always is.
pub const PRESENT: &[&str] =
    &["every day", "on Sundays", "usually", "in summer", "at night", "nowadays", "every morning"];

/// When it will be.
pub const FUTURE: &[&str] =
    &["tomorrow", "next week", "soon", "next spring", "in an hour", "some day", "on Friday"];

/// Numbers that take a plural.
pub const NUMBERS: &[&str] = &[
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "twenty",
];

/// Where a place is spoken of from.
pub const PREPOSITIONS: &[&str] = &["near", "behind", "in", "outside", "beside", "in front of"];

/// Reasons that need no subject from the sentence.
pub const REASONS: &[&str] = &[
    "it is late",
    "it is raining",
    "the weather is fine",
    "nobody is at home",
    "there is no time",
    "the night is long",
];
