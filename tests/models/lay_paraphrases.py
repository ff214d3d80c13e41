"""Statements of the seed in the words of people who are no doctors, written by hand.

None of them stands in the seed as a statement, wording or quote. Its claim is followed by the rank
that the claim reaches: by words alone, and with the model. None is not found.
"""

PARAPHRASES: tuple[tuple[str, str, int | None, int | None], ...] = (
    ("Clogged veins in the neck are what gives you MS.", "ccsvi-causes-ms", 2, 1),
    (
        "My doctor says my MS comes from blood that cannot drain from my brain.",
        "ccsvi-causes-ms",
        11,
        3,
    ),
    ("More MS patients than healthy people have CCSVI.", "ccsvi-commoner-in-ms", 3, 1),
    ("Vein trouble goes together with multiple sclerosis.", "ccsvi-commoner-in-ms", 2, 2),
    ("Is CCSVI even a real illness?", "ccsvi-is-clinical-entity", 1, 1),
    (
        "CCSVI means the big veins that empty the brain are too tight.",
        "ccsvi-is-vein-narrowing",
        1,
        1,
    ),
    ("The letters CCSVI mean chronic cerebrospinal venous insufficiency.", "ccsvi-full-name", 3, 1),
    ("Doctors have not confirmed that CCSVI is true.", "ccsvi-not-confirmed", 1, 1),
    ("Nobody had ever studied veins in MS until Zamboni.", "ccsvi-not-explored-before", 1, 1),
    ("CCSVI is an exciting new theory about what causes MS.", "ccsvi-theory-promising", 1, 2),
    ("Widening the veins makes MS patients better.", "opening-veins-helps-ms", 13, 5),
    ("Does the liberation treatment work against MS?", "opening-veins-helps-ms", 1, 1),
    ("Having your neck veins ballooned is risky.", "opening-veins-harms-some", 14, 3),
    ("Some people died after stents were put into their veins.", "opening-veins-harms-some", 1, 1),
    ("The body's defences attack the nerves in MS.", "ms-is-autoimmune", 1, 1),
    ("MS is an immune system disease.", "ms-is-autoimmune", 1, 1),
    ("We still don't know why people get MS.", "ms-cause-unknown", 1, 1),
    ("You can get MS from a virus infection.", "infection-triggers-ms", 1, 1),
    ("Mono, the kissing disease, can lead to multiple sclerosis.", "infection-triggers-ms", 6, 3),
    ("MS is in your genes.", "genes-and-ms", 1, 1),
    ("Not enough sun and vitamin D gives people MS.", "vitamin-d-and-ms", 1, 1),
    (
        "Rust from the blood piles up as iron in the brain in MS.",
        "iron-from-slow-venous-flow",
        1,
        2,
    ),
    ("In MS the blood in the neck veins runs backwards.", "venous-reflux-in-ms", 3, 1),
    ("Blood creeps along too slowly in the veins of MS patients.", "slow-venous-flow-in-ms", 2, 1),
    ("The brain swells in MS because blood is held up.", "swelling-from-slow-venous-flow", 2, 1),
    (
        "Red cells seep out of the veins into the brain of MS patients.",
        "blood-leakage-from-slow-venous-flow",
        1,
        1,
    ),
    ("Lots of healthy folks have tight neck veins.", "narrow-neck-veins-common", 1, 1),
    ("The vein blockages were there before the MS started.", "narrowed-veins-precede-ms", 1, 1),
    (
        "An Italian doctor named Zamboni was the first to describe CCSVI.",
        "zamboni-first-described-ccsvi",
        1,
        1,
    ),
    (
        "Experts want to see more research before they believe in CCSVI.",
        "experts-await-research",
        1,
        1,
    ),
)
