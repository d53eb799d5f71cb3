"""The closed lists of words that pictures print."""

# Common English words of three to eight letters.
WORDS = """
able above across act add after again age agree air all alone also always amount and animal answer apple april area arm
art ask autumn away baby back bag ball bank bath beach bean bear bed bell below best big bird black blue board boat body
bone book both bottle bottom box boy branch bread break bridge bright bring brother brown build bus busy butter button
buy cake call camera camp car card care carry case castle cat chair chance change cheap check cheese child church circle
city class clean clear clock close cloud coat coffee cold colour come cook cool copper corn corner cost cotton count
country cover cow cream cross crowd cry cup cut dance dark day deep desk dinner dog door double down dream dress drink
drive drop dry duck dust each early earth east easy eat edge egg eight empty end engine enter evening every exit eye
face fact fall family far farm fast father field fight fill find fine finger fire first fish five flag flat floor flower
fly follow food foot forest fork four free fresh friend front fruit full game garden gate gift girl give glass gold good
grass great green grey ground group grow guest hair half hall hand happy hard hat head hear heart heavy help here hill
hold home honey horse hot hotel hour house ice idea iron island jacket job join jump june keep key kind king kitchen
knife lake lamp land large last late laugh law leaf learn leave left leg lemon letter level library light line lion list
little live lock long look loud love low lunch machine map march mark market math may meal meat meet metal middle milk
mind minute mirror money month moon morning mother mountain mouse mouth move much music nail name near neck need nest
never new next nice night nine noise north nose note number nut ocean off office oil old one onion open orange order
other over page paint paper park part party past peace pen pepper phone picture piece pig pink place plan plane plant
plate play please pocket point poor post pot power press price print public pull push queen quick quiet rain read ready
red rice rich ride right ring river road rock roof room root rope rose round rule run safe sail salt same sand school
sea seat second see seed send seven shade sharp sheep ship shirt shoe shop short show side sign silver simple sing
sister six size skin sky sleep slow small smile smoke snow soap soft some song soon sound soup south space spoon sport
spring square stage stamp star start station stay steel step stone stop store storm story street strong sugar summer sun
sweet table tail take tall taste tea ten tent test text thank thick thin three throw ticket tiger time tired today
together top touch tower town toy track train travel tree true turn two uncle under until use valley very view village
visit voice wait walk wall warm wash watch water wave way week well west wet wheel white wide wind window wine winter
wish wood word work world write yellow yes young zoo
""".split()

FIRST = """Miller Green River Silver Golden Baker Harbour North Summit Oak Maple Stone Bright Royal Garden Corner
Sunny Lake Hill Forest""".split()
KINDS = "Books Bakery Foods Tools Market Cafe Shop Motors Flowers Garden Press Hotel Kitchen Sports Toys".split()
GOODS = """Apples Bread Butter Cheese Coffee Eggs Fish Honey Juice Lamp Milk Paper Pen Rice Salt Soap Soup Sugar Tea
Water Book Chair Cup Plate Knife Shirt Shoes Hat Bag Ball""".split()
PEOPLE = "Anna Ben Clara David Emma Frank Grace Henry Ida Jack Kate Leo Mary Nora Oscar Paul Rose Sam Tom Vera".split()
CITIES = "Berlin London Paris Rome Madrid Oslo Vienna Prague Dublin Lisbon Tokyo Delhi Cairo Lima Boston".split()
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
DAYS = "Mon Tue Wed Thu Fri Sat Sun".split()
BUTTONS = """OK Cancel Save Open Exit Delete Send Print Apply Help Next Back Search Reset Submit Login Copy Paste Edit
Add Remove Upload Share Start Stop Play Pause Yes No Done""".split()
MENUS = "File Edit View Insert Format Tools Window Help".split()
FIELDS = "Name Email Password Address City Phone Date Title Subject Search User Code".split()
CHECKS = "Remember Sound Colour Updates Dark Agree Music Wifi News Backup Print Share".split()
TITLES = "Settings Login Editor Mail Contacts Player Notes Search Options Account Printer Calendar".split()
MEASURES = "Sales Visitors Rain Points Orders Cars Books Trees Votes Prices".split()

LISTS = (WORDS, FIRST, KINDS, GOODS, PEOPLE, CITIES, MONTHS, DAYS, BUTTONS, MENUS, FIELDS, CHECKS, TITLES, MEASURES)
EVERY = {word: i for i, word in enumerate(sorted({word.lower() for words in LISTS for word in words}))}


def known(word):
    """Which of EVERY a printed word is, or None."""
    return EVERY.get(word.strip(":").lower())


def cased(rng, word):
    kind = rng.random()
    return word if kind < 0.5 else word.capitalize() if kind < 0.8 else word.upper()


def number(rng, most=6):
    """A whole number of 1 to most digits, all lengths alike; no leading zero."""
    digits = rng.randint(1, most)
    return str(rng.randint(10 ** (digits - 1) if digits > 1 else 0, 10**digits - 1))


def money(rng, most=100):
    """An amount below most with two decimals."""
    return rng.randint(50, most * 100 - 1) // 5 * 5


def amount(cents):
    return f"{cents // 100}.{cents % 100:02d}"
