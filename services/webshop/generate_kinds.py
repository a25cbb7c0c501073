"""What generated products may be: five kinds of things in each of the benchmark's five categories.

Attributes come in three grammatical roles, since an instruction is built from them as the benchmark builds its own:
"Find me ``looks`` ``query`` with ``features`` for ``uses``". Brands are invented.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(", "))


BRANDS: Final = _words(
    "Tarvo, Oduna, Lumbro, Dovrin, Ivoura, Jundle, Mirabo, Sablio, Tindro, Vostra, Wexla, Norvil, Kestil, Palno, Zundo, "
    "Belro, Fenlo, Gravu, Hanto, Jorve, Ulmeo, Rondla, Quilo, Elmra, Pindo, Yarno, Carvu"
)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of product. ``nouns`` are what titles call it; ``options`` are groups with the values they choose from.

    ``price`` is the range in dollars.
    """

    category: str
    query: str
    path: str
    nouns: tuple[str, ...]
    materials: tuple[str, ...]
    looks: tuple[str, ...]
    features: tuple[str, ...]
    uses: tuple[str, ...]
    options: Mapping[str, tuple[str, ...]]
    price: tuple[float, float]
    brands: tuple[str, ...] = BRANDS


COLORS: Final = _words("black, white, navy, red, green, pink, purple, yellow, orange, brown, beige, teal")
LETTERS: Final = _words("xs, small, medium, large, xl, xxl")
ADULTS: Final = _words("7, 8, 9, 10, 11, 12, 13")
COUNTS: Final = _words("6 ct, 12 ct, 24 ct, 48 ct")
LENGTHS: Final = _words("3 ft, 6 ft, 10 ft, 15 ft")

FASHION: Final = "Clothing, Shoes & Jewelry"
BEAUTY: Final = "Beauty & Personal Care"
HOME: Final = "Home & Kitchen"
FOOD: Final = "Grocery & Gourmet Food"
TECH: Final = "Electronics"


KINDS: Final = (
    Kind(
        "fashion", "men's t-shirts", f"{FASHION} › Men › Clothing › Shirts › T-Shirts",
        ("Men's T-Shirt", "Men's Tee"),
        ("Cotton", "Jersey", "Bamboo"),
        _words("slim fit, machine washable, moisture wicking, quick drying, wrinkle free"),
        _words("short sleeve, crew neck, tagless collar, stretch fabric, chest pocket, printed logo"),
        _words("daily wear, gym workout, summer travel, office days, trail running"),
        {"Color": COLORS, "Size": LETTERS},
        (9, 40),
    ),
    Kind(
        "fashion", "men's shorts", f"{FASHION} › Men › Clothing › Shorts",
        ("Men's Shorts", "Men's Cargo Shorts"),
        ("Cotton", "Nylon", "Linen"),
        _words("loose fit, quick drying, machine washable, water resistant, light weight"),
        _words("elastic waist, zipper pockets, drawstring closure, mesh lining, side stripes, belt loops"),
        _words("gym workout, beach holidays, hiking trips, summer travel, city trips"),
        {"Color": COLORS, "Size": LETTERS},
        (12, 50),
    ),
    Kind(
        "fashion", "women's sweaters", f"{FASHION} › Women › Clothing › Sweaters › Pullovers",
        ("Women's Sweater", "Women's Pullover"),
        ("Wool", "Cashmere", "Cotton"),
        _words("loose fit, hand wash, super soft, light weight, machine washable"),
        _words("long sleeve, high neck, button closure, ribbed cuffs, cable pattern, front pockets"),
        _words("daily wear, office days, winter evenings, gift giving, city trips"),
        {"Color": COLORS, "Size": LETTERS},
        (18, 90),
    ),
    Kind(
        "fashion", "women's dresses", f"{FASHION} › Women › Clothing › Dresses › Casual",
        ("Women's Dress", "Women's Midi Dress"),
        ("Linen", "Satin", "Cotton"),
        _words("slim fit, hand wash, wrinkle free, light weight, machine washable"),
        _words("short sleeve, side pockets, open back, hidden zipper, pleated skirt, lace trim"),
        _words("garden parties, beach holidays, office days, wedding guests, city trips"),
        {"Color": COLORS, "Size": LETTERS},
        (20, 110),
    ),
    Kind(
        "fashion", "men's running shoes", f"{FASHION} › Men › Shoes › Athletic › Running",
        ("Men's Running Shoes", "Men's Trail Shoes"),
        ("Mesh", "Knit", "Suede"),
        _words("slip resistant, light weight, water resistant, wide fit, machine washable"),
        _words("rubber sole, memory foam, arch support, lace closure, reflective strips, padded collar"),
        _words("daily wear, trail running, gym workout, race days, rainy weather"),
        {"Color": COLORS, "Size": ADULTS},
        (30, 140),
    ),
    Kind(
        "beauty", "shampoos", f"{BEAUTY} › Hair Care › Shampoo & Conditioner › Shampoos",
        ("Shampoo", "Hair Shampoo"),
        ("Argan", "Coconut", "Oat"),
        _words("sulfate free, cruelty free, color safe, fragrance free, paraben free"),
        _words("tea tree, natural ingredients, coconut oil, aloe vera, keratin protein, pump bottle"),
        _words("dry hair, curly hair, hair growth, damaged hair, oily hair"),
        {"Scent": _words("lavender, mint, rose, vanilla, citrus, unscented"), "Size": _words("8 oz, 12 oz, 32 oz")},
        (6, 35),
    ),
    Kind(
        "beauty", "face moisturizers", f"{BEAUTY} › Skin Care › Face › Moisturizers",
        ("Face Cream", "Face Moisturizer"),
        ("Shea", "Rosehip", "Squalane"),
        _words("paraben free, cruelty free, fragrance free, fast absorbing, oil free"),
        _words("hyaluronic acid, sun protection, aloe vera, vitamin c, shea butter, green tea"),
        _words("dry skin, sensitive skin, fine lines, night care, oily skin"),
        {"Size": _words("1 oz, 2 oz, 4 oz"), "Style": _words("day cream, night balm, gel")},
        (8, 60),
    ),
    Kind(
        "beauty", "lip glosses", f"{BEAUTY} › Makeup › Lips › Lip Glosses",
        ("Lip Gloss", "Lip Shine"),
        ("Honey", "Jojoba", "Berry"),
        _words("long lasting, cruelty free, non sticky, high shine, paraben free"),
        _words("vitamin e, mirror cap, natural ingredients, soft brush, coconut oil, plumping effect"),
        _words("dry lips, party makeup, daily wear, gift giving, photo shoots"),
        {"Color": _words("coral, ruby, mauve, nude, plum, peach, fuchsia"), "Item Package Quantity": _words("1, 2, 4")},
        (4, 25),
    ),
    Kind(
        "beauty", "makeup brushes", f"{BEAUTY} › Tools & Accessories › Makeup Brushes & Tools › Brushes",
        ("Makeup Brush Set", "Makeup Brushes"),
        ("Bamboo", "Birch", "Aluminum"),
        _words("cruelty free, easy clean, travel size, super soft, high quality"),
        _words("synthetic hair, storage case, wooden handle, angled tips, stand cup, cleaning mat"),
        _words("eye shadow, sensitive skin, party makeup, photo shoots, daily wear"),
        {"Color": COLORS, "Size": _words("5 pc, 8 pc, 12 pc, 20 pc")},
        (7, 50),
    ),
    Kind(
        "beauty", "nail polishes", f"{BEAUTY} › Foot, Hand & Nail Care › Nail Polish",
        ("Nail Polish", "Nail Lacquer"),
        ("Gel", "Pearl", "Matte"),
        _words("long lasting, quick drying, chip resistant, cruelty free, odor free"),
        _words("wide brush, uv lamp, vegan formula, high pigment, glitter flakes, base coat"),
        _words("nail art, party makeup, home salon, gift giving, photo shoots"),
        {"Color": _words("coral, ruby, mauve, nude, plum, peach, fuchsia, silver"), "Size": _words("10 ml, 15 ml")},
        (4, 20),
    ),
    Kind(
        "garden", "decorative pillows", f"{HOME} › Bedding › Decorative Pillows, Inserts & Covers › Throw Pillows",
        ("Throw Pillow", "Pillow Cover"),
        ("Velvet", "Linen", "Chenille"),
        _words("machine washable, double sided, super soft, fade resistant, easy clean"),
        _words("hidden zipper, tassel trim, polyester filling, piped edges, embroidered letters, woven pattern"),
        _words("living room, guest room, garden bench, kids room, reading corner"),
        {"Color": COLORS, "Size": _words("16 x 16, 18 x 18, 20 x 20, 24 x 24")},
        (8, 45),
    ),
    Kind(
        "garden", "area rugs", f"{HOME} › Home Décor Products › Rugs, Pads & Protectors › Area Rugs",
        ("Area Rug", "Floor Rug"),
        ("Jute", "Wool", "Shag"),
        _words("easy clean, stain resistant, fade resistant, low pile, machine washable"),
        _words("non slip backing, fringed edges, woven pattern, thick padding, geometric print, rounded corners"),
        _words("living room, dining room, home office, kids room, entry hall"),
        {"Color": COLORS, "Size": _words("2 x 3, 4 x 6, 5 x 8, 8 x 10")},
        (25, 260),
    ),
    Kind(
        "garden", "table lamps", f"{HOME} › Lighting & Ceiling Fans › Lamps & Shades › Table Lamps",
        ("Table Lamp", "Bedside Lamp"),
        ("Ceramic", "Brass", "Rattan"),
        _words("easy assemble, energy efficient, mid century, height adjustable, space saving"),
        _words("usb port, linen shade, touch control, glass base, dimmer switch, wooden legs"),
        _words("living room, home office, guest room, kids room, reading corner"),
        {"Color": COLORS, "Style": _words("round, square, cone, globe")},
        (18, 120),
    ),
    Kind(
        "garden", "window curtains", f"{HOME} › Home Décor Products › Window Treatments › Curtains",
        ("Window Curtains", "Curtain Panels"),
        ("Linen", "Velvet", "Satin"),
        _words("machine washable, energy efficient, noise reducing, ready hang, wrinkle free"),
        _words("rod pocket, grommet top, blackout lining, floral print, thermal lining, tie backs"),
        _words("living room, kids room, home office, dining room, guest room"),
        {"Color": COLORS, "Size": _words("42 x 63, 52 x 84, 52 x 96, 70 x 108")},
        (14, 90),
    ),
    Kind(
        "garden", "dining chairs", f"{HOME} › Furniture › Kitchen & Dining Room Furniture › Chairs",
        ("Dining Chair", "Kitchen Chair"),
        ("Oak", "Walnut", "Rattan"),
        _words("easy assemble, heavy duty, mid century, space saving, easy clean"),
        _words("padded seat, metal legs, high back, arm rests, swivel base, button tufting"),
        _words("dining room, home office, small spaces, living room, reading corner"),
        {"Color": COLORS, "Size": _words("1 pc, 2 pc, 4 pc, 6 pc")},
        (45, 380),
    ),
    Kind(
        "grocery", "ground coffee", f"{FOOD} › Beverages › Coffee › Ground Coffee",
        ("Ground Coffee", "Coffee Blend"),
        ("Arabica", "Highland", "Peaberry"),
        _words("low acid, fair trade, small batch, shade grown, gluten free"),
        _words("natural flavors, resealable bag, chocolate notes, rich aroma, chicory root, medium roast"),
        _words("cold brew, french press, office kitchen, camping trips, gift baskets"),
        {"Flavor": _words("hazelnut, caramel, mocha, cinnamon, maple, espresso"), "Size": _words("12 oz, 2 lb, 5 lb")},
        (7, 55),
    ),
    Kind(
        "grocery", "herbal teas", f"{FOOD} › Beverages › Tea › Herbal",
        ("Herbal Tea", "Tea Bags"),
        ("Rooibos", "Chamomile", "Hibiscus"),
        _words("caffeine free, non gmo, fair trade, sugar free, fat free"),
        _words("whole leaves, natural ingredients, pyramid bags, lemon peel, cinnamon bark, steel tin"),
        _words("bed time, iced tea, gift baskets, office kitchen, sore throats"),
        {"Flavor": _words("ginger, mint, apple, orange, lavender, licorice"), "Size": COUNTS},
        (4, 30),
    ),
    Kind(
        "grocery", "protein bars", f"{FOOD} › Snack Foods › Bars › Protein",
        ("Protein Bars", "Snack Bars"),
        ("Oat", "Almond", "Peanut"),
        _words("gluten free, low sugar, plant based, soy free, keto friendly"),
        _words("high protein, artificial colors, sea salt, chia seeds, pumpkin seeds, dietary fiber"),
        _words("school lunch, gym workout, hiking trips, car trips, office days"),
        {"Flavor": _words("cookie dough, raspberry, banana, coconut, lemon, toffee"), "Size": COUNTS},
        (9, 50),
    ),
    Kind(
        "grocery", "vegetable chips", f"{FOOD} › Snack Foods › Chips & Crisps › Vegetable",
        ("Vegetable Chips", "Veggie Crisps"),
        ("Beet", "Kale", "Parsnip"),
        _words("gluten free, low carb, non gmo, kettle cooked, plant based"),
        _words("sea salt, olive oil, natural ingredients, dietary fiber, black pepper, resealable bag"),
        _words("school lunch, movie nights, party platters, hiking trips, gift baskets"),
        {"Flavor": _words("barbecue, vinegar, paprika, garlic, chili, onion"), "Size": COUNTS},
        (6, 40),
    ),
    Kind(
        "grocery", "breakfast granola", f"{FOOD} › Breakfast Foods › Cereals › Granola",
        ("Granola", "Granola Clusters"),
        ("Oat", "Quinoa", "Pecan"),
        _words("gluten free, non gmo, low sugar, small batch, plant based"),
        _words("dried fruit, chia seeds, whole grain, resealable bag, dark chocolate, roasted nuts"),
        _words("yogurt bowls, hiking trips, school lunch, gift baskets, office kitchen"),
        {"Flavor": _words("maple, raspberry, cinnamon, banana, apple, ginger"), "Size": _words("8 oz, 12 oz, 2 lb")},
        (5, 32),
    ),
    Kind(
        "electronics", "wireless headphones", f"{TECH} › Headphones › Over-Ear Headphones",
        ("Wireless Headphones", "Bluetooth Headset"),
        ("Leather", "Carbon", "Matte"),
        _words("noise cancelling, hands free, fast charging, light weight, water resistant"),
        _words("stereo sound, voice control, carrying case, memory foam, deep bass, long battery"),
        _words("air travel, home office, gym workout, movie nights, school classes"),
        {"Color": COLORS, "Style": _words("basic, plus, pro")},
        (20, 220),
    ),
    Kind(
        "electronics", "phone cases", f"{TECH} › Cell Phones & Accessories › Cases, Holsters & Sleeves › Basic Cases",
        ("Phone Case", "Phone Cover"),
        ("Silicone", "Leather", "Cork"),
        _words("shock proof, slim fit, water resistant, non slip, light weight"),
        _words("wireless charging, card slots, tempered glass, raised edges, magnetic ring, screen protector"),
        _words("daily wear, hiking trips, office days, gym workout, beach holidays"),
        {"Color": COLORS, "Size": _words("5 inch, 6 inch, 7 inch")},
        (6, 45),
    ),
    Kind(
        "electronics", "charging cables", f"{TECH} › Computers & Accessories › Cables & Interconnects › USB Cables",
        ("Charging Cable", "USB Cable"),
        ("Nylon", "Copper", "Silicone"),
        _words("fast charging, high speed, heavy duty, tangle free, easy carry"),
        _words("gold plated, aluminum shell, data transfer, braided jacket, angled plug, leather strap"),
        _words("car trips, home office, air travel, office days, bed time"),
        {"Color": COLORS, "Size": LENGTHS},
        (5, 30),
    ),
    Kind(
        "electronics", "portable speakers", f"{TECH} › Portable Audio & Video › Portable Speakers",
        ("Portable Speaker", "Bluetooth Speaker"),
        ("Fabric", "Aluminum", "Bamboo"),
        _words("water resistant, hands free, fast charging, easy carry, shock proof"),
        _words("stereo sound, deep bass, led lights, long battery, voice control, carrying strap"),
        _words("beach holidays, garden parties, car trips, camping trips, movie nights"),
        {"Color": COLORS, "Style": _words("mini, regular, tower")},
        (18, 160),
    ),
    Kind(
        "electronics", "smartwatch bands", f"{TECH} › Wearable Technology › Smartwatch Accessories › Bands",
        ("Smartwatch Band", "Watch Strap"),
        ("Nylon", "Leather", "Steel"),
        _words("quick release, water resistant, easy install, fade resistant, light weight"),
        _words("magnetic clasp, breathable holes, double buckle, stretch fabric, woven pattern, metal frame"),
        _words("daily wear, gym workout, office days, swim training, rainy weather"),
        {"Color": COLORS, "Size": _words("20 mm, 22 mm, 38 mm, 42 mm")},
        (6, 60),
    ),
)  # fmt: skip
"""Five a category."""
