"""What stands in the rooms of generated games, what lies where, and what fits into what.

Names, properties and fits are those of the benchmark's own rooms, so that what is learned in one is true in the other;
the rooms themselves are smaller. Homes are written once for every weight: the first of ``"CounterTop CounterTop Fridge"``
is twice as likely.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Room:
    """A kind of room: ``furniture`` maps receptacle types to least and greatest number, ``homes`` objects to places."""

    number: int
    furniture: dict[str, tuple[int, int]]
    homes: dict[str, tuple[str, ...]]
    task_types: tuple[str, ...]


def _homes(table: str) -> dict[str, tuple[str, ...]]:
    """Lines of ``Object: Place Place``."""
    rows = (line.split(":") for line in table.strip().splitlines())
    return {name.strip(): tuple(places.split()) for name, places in rows}


def _fits(table: str) -> dict[str, frozenset[str]]:
    return {name: frozenset(things) for name, things in _homes(table).items()}


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


OPENABLE: Final = _set("Cabinet Drawer Fridge Microwave Safe")
HEATABLE: Final = _set("Apple Bread Cup Egg Mug Plate Potato Tomato")
COOLABLE: Final = HEATABLE | _set("Bowl Lettuce Pan Pot WineBottle")
CLEANABLE: Final = _set(
    "Apple Bowl ButterKnife Cloth Cup DishSponge Egg Fork Kettle Knife Ladle Lettuce Mug Pan Plate Pot Potato SoapBar"
    " Spatula Spoon Tomato"
)
SLICEABLE: Final = _set("Apple Bread Egg Lettuce Potato Tomato")
TOGGLEABLE: Final = _set("DeskLamp")
CONTAINERS: Final = _set("Bowl Box Cup Mug Pan Plate Pot")
FIXED: Final = _set("DeskLamp HousePlant Television")
"""Objects that cannot be picked up."""

FITS: Final = _fits("""
ArmChair: Book Box CellPhone Cloth CreditCard KeyChain Laptop Newspaper Pillow RemoteControl
BathtubBasin: Cloth DishSponge HandTowel SoapBar
Bed: BaseballBat BasketBall Book CellPhone Laptop Pillow TennisRacket
Cabinet: Book Bowl Candle Cloth Cup DishSponge Kettle Ladle Mug Pan PepperShaker Plate Pot SaltShaker SoapBar SoapBottle \
SprayBottle TissueBox ToiletPaper Vase WineBottle
CoffeeMachine: Mug
CoffeeTable: Book Bowl Box Candle CellPhone CreditCard KeyChain Laptop Newspaper Pen Pencil Plate RemoteControl Statue \
TissueBox Vase Watch
CounterTop: Apple Book Bowl Bread ButterKnife Candle CellPhone Cloth CreditCard Cup DishSponge Egg Fork HandTowel Kettle \
Knife Ladle Lettuce Mug Pan PepperShaker Plate Pot Potato SaltShaker SoapBar SoapBottle Spatula Spoon SprayBottle Statue \
TissueBox ToiletPaper Tomato Vase WineBottle
Desk: AlarmClock BasketBall Book Bowl Box CD CellPhone CreditCard KeyChain Laptop Mug Pen Pencil RemoteControl Statue \
TennisRacket TissueBox Vase Watch
DiningTable: Apple Book Bowl Box Bread ButterKnife Candle CellPhone CreditCard Cup DishSponge Egg Fork Kettle KeyChain Knife \
Ladle Laptop Lettuce Mug Newspaper Pan Pen Pencil PepperShaker Plate Pot Potato RemoteControl SaltShaker SoapBottle Spatula \
Spoon Statue TissueBox Tomato Vase Watch WineBottle
Drawer: Book ButterKnife CD Candle CellPhone Cloth CreditCard DishSponge Fork HandTowel KeyChain Knife Ladle Newspaper Pen \
Pencil PepperShaker RemoteControl SaltShaker SoapBar SoapBottle Spatula Spoon SprayBottle TissueBox ToiletPaper Watch
Dresser: AlarmClock BasketBall Book Bowl Box CD Candle CellPhone Cloth CreditCard KeyChain Laptop Mug Newspaper Pen Pencil \
Plate RemoteControl SprayBottle Statue TennisRacket TissueBox Vase Watch
Fridge: Apple Bowl Bread Cup Egg Lettuce Mug Pan Plate Pot Potato Tomato WineBottle
GarbageCan: Apple Bread CD Cloth DishSponge Egg Lettuce Newspaper Pen Pencil Potato SoapBar SoapBottle SprayBottle TissueBox \
ToiletPaper Tomato WineBottle
HandTowelHolder: HandTowel
Microwave: Apple Bowl Bread Cup Egg Mug Plate Potato Tomato
Ottoman: Book Box CellPhone CreditCard KeyChain Laptop Newspaper Pillow RemoteControl
Safe: CD CellPhone CreditCard KeyChain Statue Vase
Shelf: AlarmClock Book Bowl Box CD Candle CellPhone Cloth CreditCard Cup DishSponge HandTowel Kettle KeyChain Mug Newspaper \
Pen Pencil PepperShaker Plate Pot RemoteControl SaltShaker SoapBar SoapBottle SprayBottle Statue TissueBox ToiletPaper Vase \
Watch WineBottle
SideTable: AlarmClock Apple BasketBall Book Bowl Box Bread ButterKnife CD Candle CellPhone Cloth CreditCard Cup DishSponge \
Egg Fork HandTowel KeyChain Knife Laptop Lettuce Mug Newspaper Pen Pencil PepperShaker Plate Potato RemoteControl SaltShaker \
SoapBar SoapBottle Spatula Spoon SprayBottle Statue TennisRacket TissueBox ToiletPaper Tomato Vase Watch WineBottle
SinkBasin: Apple Bowl ButterKnife Cloth Cup DishSponge Egg Fork HandTowel Kettle Knife Ladle Lettuce Mug Pan Plate Pot Potato \
SoapBar Spatula Spoon Tomato
Sofa: Book Box CellPhone CreditCard KeyChain Laptop Newspaper Pillow RemoteControl
StoveBurner: Kettle Pan Pot
TVStand: Bowl CellPhone KeyChain Newspaper RemoteControl Statue TissueBox Vase Watch
Toilet: Candle Cloth DishSponge HandTowel SoapBar SoapBottle SprayBottle TissueBox ToiletPaper
ToiletPaperHanger: ToiletPaper
TowelHolder: Towel
""")
"""Receptacle types to the object types they take."""

ROOMS: Final[dict[str, Room]] = {
    "kitchen": Room(
        1,
        {
            "Cabinet": (1, 4),
            "CoffeeMachine": (0, 1),
            "CounterTop": (1, 2),
            "DiningTable": (0, 1),
            "Drawer": (1, 3),
            "Fridge": (1, 1),
            "GarbageCan": (0, 1),
            "Microwave": (1, 1),
            "Shelf": (0, 1),
            "SideTable": (0, 1),
            "SinkBasin": (1, 1),
            "StoveBurner": (1, 2),
        },
        _homes("""
            Apple: CounterTop CounterTop Fridge Fridge DiningTable Microwave GarbageCan SinkBasin SideTable
            Bowl: Cabinet Cabinet CounterTop Fridge DiningTable SinkBasin
            Bread: CounterTop CounterTop DiningTable Fridge SideTable
            ButterKnife: CounterTop CounterTop DiningTable Drawer SinkBasin
            Cup: Cabinet Cabinet CounterTop Fridge DiningTable SinkBasin Microwave
            DishSponge: CounterTop Cabinet Drawer DiningTable SinkBasin
            Egg: Fridge Fridge CounterTop CounterTop SinkBasin Microwave DiningTable GarbageCan
            Fork: CounterTop DiningTable Drawer SinkBasin SideTable
            HousePlant: CounterTop DiningTable Shelf
            Kettle: StoveBurner StoveBurner CounterTop Cabinet
            Knife: CounterTop CounterTop DiningTable Drawer
            Ladle: CounterTop Cabinet Drawer DiningTable
            Lettuce: CounterTop DiningTable Fridge SinkBasin
            Mug: CounterTop CoffeeMachine Cabinet Fridge DiningTable Microwave Shelf
            Pan: StoveBurner StoveBurner CounterTop Cabinet
            PepperShaker: Cabinet CounterTop DiningTable Drawer Shelf SideTable
            Plate: Cabinet Cabinet CounterTop DiningTable Fridge
            Pot: StoveBurner StoveBurner CounterTop Fridge
            Potato: CounterTop Fridge DiningTable SinkBasin Microwave GarbageCan
            SaltShaker: Cabinet CounterTop DiningTable Drawer Shelf SideTable
            SoapBottle: CounterTop Cabinet DiningTable GarbageCan
            Spatula: CounterTop DiningTable Drawer SinkBasin
            Spoon: CounterTop Drawer DiningTable SinkBasin
            Tomato: Fridge Fridge CounterTop DiningTable GarbageCan SinkBasin
            Vase: CounterTop Shelf Cabinet
            WineBottle: CounterTop Cabinet DiningTable
        """),
        (
            "pick_heat_then_place_in_recep",
            "pick_cool_then_place_in_recep",
            "pick_clean_then_place_in_recep",
            "pick_and_place_simple",
            "pick_two_obj_and_place",
        ),
    ),
    "living room": Room(
        2,
        {
            "ArmChair": (1, 2),
            "Cabinet": (0, 2),
            "CoffeeTable": (1, 1),
            "DiningTable": (0, 1),
            "Drawer": (1, 4),
            "Dresser": (0, 1),
            "GarbageCan": (0, 1),
            "Ottoman": (0, 1),
            "Safe": (0, 1),
            "Shelf": (0, 2),
            "SideTable": (1, 2),
            "Sofa": (1, 1),
            "TVStand": (0, 1),
        },
        _homes("""
            Book: CoffeeTable Dresser Sofa ArmChair DiningTable SideTable
            Bowl: DiningTable CoffeeTable SideTable Shelf
            Box: DiningTable Sofa CoffeeTable SideTable
            Candle: SideTable CoffeeTable DiningTable
            CellPhone: Dresser SideTable CoffeeTable Sofa Drawer
            CreditCard: Sofa CoffeeTable Drawer ArmChair SideTable DiningTable
            DeskLamp: SideTable SideTable CoffeeTable
            HousePlant: SideTable CoffeeTable Dresser
            KeyChain: CoffeeTable SideTable Drawer Sofa ArmChair TVStand
            Laptop: Sofa CoffeeTable DiningTable SideTable
            Newspaper: Sofa CoffeeTable DiningTable SideTable Shelf
            Pen: CoffeeTable Dresser SideTable Drawer
            Pencil: CoffeeTable SideTable Drawer
            Pillow: Sofa Sofa ArmChair
            Plate: DiningTable CoffeeTable Shelf SideTable
            RemoteControl: CoffeeTable Sofa SideTable TVStand
            Statue: CoffeeTable Shelf DiningTable SideTable
            Television: TVStand Dresser
            TissueBox: CoffeeTable DiningTable SideTable Shelf
            Vase: Shelf CoffeeTable DiningTable SideTable
            Watch: CoffeeTable Drawer SideTable Dresser
        """),
        ("look_at_obj_in_light", "pick_two_obj_and_place", "pick_and_place_simple"),
    ),
    "bedroom": Room(
        3,
        {
            "ArmChair": (0, 1),
            "Bed": (1, 1),
            "Cabinet": (0, 1),
            "Desk": (1, 1),
            "Drawer": (2, 5),
            "Dresser": (0, 1),
            "GarbageCan": (0, 1),
            "Safe": (0, 1),
            "Shelf": (0, 3),
            "SideTable": (1, 2),
        },
        _homes("""
            AlarmClock: Desk Shelf SideTable Dresser
            BasketBall: Bed Desk Dresser
            Book: Bed Bed Desk Drawer SideTable
            Bowl: Desk Shelf Dresser
            Box: Desk Shelf
            CD: Drawer Desk Dresser SideTable GarbageCan Shelf
            CellPhone: Bed Desk Drawer Dresser SideTable
            CreditCard: Drawer Shelf Desk SideTable Dresser
            DeskLamp: Desk Desk SideTable
            HousePlant: Shelf Desk
            KeyChain: Drawer Desk SideTable Shelf Dresser
            Laptop: Bed Bed Desk
            Mug: Desk Shelf SideTable Dresser
            Pen: Desk Drawer Shelf SideTable
            Pencil: Desk Drawer SideTable Shelf
            Pillow: Bed Bed ArmChair
            RemoteControl: Drawer Desk SideTable
            Statue: Shelf Dresser Desk
            TennisRacket: Bed Desk Dresser
            TissueBox: Desk Drawer Shelf
            Vase: Shelf Dresser Desk
            Watch: Drawer Shelf Desk
        """),
        ("look_at_obj_in_light", "pick_two_obj_and_place", "pick_and_place_simple"),
    ),
    "bathroom": Room(
        4,
        {
            "BathtubBasin": (0, 1),
            "Cabinet": (1, 4),
            "CounterTop": (1, 1),
            "Drawer": (0, 3),
            "GarbageCan": (1, 1),
            "HandTowelHolder": (1, 1),
            "Shelf": (0, 1),
            "SideTable": (0, 1),
            "SinkBasin": (1, 2),
            "Toilet": (1, 1),
            "ToiletPaperHanger": (1, 1),
            "TowelHolder": (1, 1),
        },
        _homes("""
            Candle: CounterTop Toilet Cabinet Drawer Shelf
            Cloth: BathtubBasin Cabinet CounterTop Drawer
            DishSponge: CounterTop Drawer BathtubBasin
            HandTowel: HandTowelHolder HandTowelHolder CounterTop
            HousePlant: SideTable CounterTop
            SoapBar: CounterTop Toilet SinkBasin Cabinet BathtubBasin
            SoapBottle: CounterTop Toilet Cabinet Shelf
            SprayBottle: CounterTop Toilet Cabinet Shelf
            TissueBox: CounterTop Shelf Drawer
            ToiletPaper: Toilet CounterTop ToiletPaperHanger Drawer Cabinet
            Towel: TowelHolder
        """),
        ("pick_clean_then_place_in_recep", "pick_two_obj_and_place", "pick_and_place_simple"),
    ),
}
