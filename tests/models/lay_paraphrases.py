"""Statements of the seed in the words of people who are no doctors, written by hand.

None of them stands in the seed as a statement, wording or quote.
"""

PARAPHRASES = (
    ("Clogged veins in the neck are what gives you MS.", "ccsvi-causes-ms"),
    ("My doctor says my MS comes from blood that cannot drain from my brain.", "ccsvi-causes-ms"),
    ("More MS patients than healthy people have CCSVI.", "ccsvi-commoner-in-ms"),
    ("Vein trouble goes together with multiple sclerosis.", "ccsvi-commoner-in-ms"),
    ("Is CCSVI even a real illness?", "ccsvi-is-clinical-entity"),
    ("CCSVI means the big veins that empty the brain are too tight.", "ccsvi-is-vein-narrowing"),
    ("The letters CCSVI mean chronic cerebrospinal venous insufficiency.", "ccsvi-full-name"),
    ("Doctors have not confirmed that CCSVI is true.", "ccsvi-not-confirmed"),
    ("Nobody had ever studied veins in MS until Zamboni.", "ccsvi-not-explored-before"),
    ("CCSVI is an exciting new theory about what causes MS.", "ccsvi-theory-promising"),
    ("Widening the veins makes MS patients better.", "opening-veins-helps-ms"),
    ("Does the liberation treatment work against MS?", "opening-veins-helps-ms"),
    ("Having your neck veins ballooned is risky.", "opening-veins-harms-some"),
    ("Some people died after stents were put into their veins.", "opening-veins-harms-some"),
    ("The body's defences attack the nerves in MS.", "ms-is-autoimmune"),
    ("MS is an immune system disease.", "ms-is-autoimmune"),
    ("We still don't know why people get MS.", "ms-cause-unknown"),
    ("You can get MS from a virus infection.", "infection-triggers-ms"),
    ("Mono, the kissing disease, can lead to multiple sclerosis.", "infection-triggers-ms"),
    ("MS is in your genes.", "genes-and-ms"),
    ("Not enough sun and vitamin D gives people MS.", "vitamin-d-and-ms"),
    ("Rust from the blood piles up as iron in the brain in MS.", "iron-from-slow-venous-flow"),
    ("In MS the blood in the neck veins runs backwards.", "venous-reflux-in-ms"),
    ("Blood creeps along too slowly in the veins of MS patients.", "slow-venous-flow-in-ms"),
    ("The brain swells in MS because blood is held up.", "swelling-from-slow-venous-flow"),
    (
        "Red cells seep out of the veins into the brain of MS patients.",
        "blood-leakage-from-slow-venous-flow",
    ),
    ("Lots of healthy folks have tight neck veins.", "narrow-neck-veins-common"),
    ("The vein blockages were there before the MS started.", "narrowed-veins-precede-ms"),
    (
        "An Italian doctor named Zamboni was the first to describe CCSVI.",
        "zamboni-first-described-ccsvi",
    ),
    ("Experts want to see more research before they believe in CCSVI.", "experts-await-research"),
)
