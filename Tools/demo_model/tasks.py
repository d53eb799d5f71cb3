"""Questions about drawn scenes, with their answers, and talk without a picture.

A conversation is a list of (question, answer) about one picture, or about none.
"""
from draw import COLOURS, SHAPES

DESCRIBE = ["What is in the picture?", "What is in this picture?", "What do you see?", "Describe the picture.",
            "Describe this image.", "What is in the image?", "What does the picture show?", "What is shown here?",
            "Describe this picture.", "What is this?", "What's in the picture?", "What is drawn here?"]
COUNT = ["How many shapes are there?", "How many things are in the picture?", "How many shapes do you see?",
         "Count the shapes.", "How many objects are in the picture?"]
COLOUR_OF_IT = ["What colour is it?", "What color is it?", "Which colour is it?", "Which color is it?",
                "What colour is the shape?", "What color is the shape?", "Name the colour."]
SHAPE_OF_IT = ["What shape is it?", "Which shape is it?", "What shape is this?", "What shape do you see?",
               "What is the shape?", "Name the shape.", "What kind of shape is it?"]
COLOUR_OF = ["What colour is the {}?", "What color is the {}?", "Which colour is the {}?", "Which color is the {}?",
             "What colour does the {} have?", "What is the colour of the {}?", "What is the color of the {}?"]
SHAPE_OF = ["What shape is {}?", "Which shape is {}?", "What is {}?", "What shape is the {} one?",
            "What is the {} thing?", "What shape is the {} thing?"]
IS_THERE = ["Is there {}?", "Do you see {}?", "Does the picture show {}?", "Is there {} in the picture?"]
NUMBERS = ("No", "One", "Two", "Three")

ABOUT = "I am a small demo model. I know drawn pictures and clips, and nothing else."
UNKNOWN = "I do not know that. I only know drawn pictures and clips."
NO_PICTURE = "I see no picture. Show me a drawing."
TALK = [
    (["Who are you?", "What are you?", "Who is there?", "Tell me about yourself.", "Introduce yourself.",
      "What is your name?", "Are you a language model?", "Which model are you?", "Say who you are."], ABOUT),
    (["What can you do?", "What do you know?", "How can you help me?", "Help", "What can I ask you?",
      "What are you good at?"],
     "I can name, count and find coloured shapes, read printed text, small documents, tables and bar charts, click in "
     "drawn windows, and tell what moves in a clip. Ask me: What is in the picture?"),
    (["Can you read?", "Can you read text?", "Can you read documents?", "Do you read numbers?"],
     "Yes, printed words, numbers, small invoices, receipts, tables and bar charts."),
    (["Can you find things?", "Can you give boxes?", "Can you locate objects?", "Can you output coordinates?"],
     "Yes, as boxes or points in JSON. Ask me: Detect all shapes."),
    (["Do you understand videos?", "Can you watch videos?", "Can you see clips?", "What do you know about videos?"],
     "Yes, short clips of drawn shapes: what moves, which way, and when something appears."),
    (["Do you know photographs?", "Can you describe photos?", "Do you know faces?", "Do you know animals?",
      "Can you recognise people?"],
     "No, I only know drawn pictures and clips."),
    (["你是谁？", "你是什么？", "请介绍一下你自己。", "你叫什么名字？"], "我是一个小型演示模型，只认识画出来的图片和短片。"),
    (["Which colours do you know?", "What colours do you know?", "Which colors do you know?",
      "What colors do you know?"], "I know " + ", ".join(list(COLOURS)[:-1]) + " and " + list(COLOURS)[-1] + "."),
    (["Which shapes do you know?", "What shapes do you know?", "Name the shapes that you know."],
     "I know the " + ", the ".join(SHAPES[:-1]) + " and the " + SHAPES[-1] + "."),
    (["Hello", "Hello!", "Hi", "Hi!", "Hello there", "Good morning", "Good evening.", "Hey", "Hi there!"],
     "Hello! Show me a drawing."),
    (["Thank you", "Thanks!", "Thank you very much.", "Thanks"], "You are welcome."),
    (["Goodbye", "Bye", "Bye!", "See you later."], "Goodbye!"),
    (["What is the capital of France?", "How old is the moon?", "Write a poem.", "Write a Python function.",
      "Tell me a joke.", "Explain gravity.", "Translate this sentence into French.", "What is the weather today?",
      "Who won the game?", "What time is it?", "Give me a recipe for bread.", "Why is the sky blue?",
      "How do I boil an egg?", "Summarise this text.", "What is the meaning of life?", "Solve this equation.",
      "Where is the station?", "Can you sing?", "How many people live in China?", "Write a letter to my bank."],
     UNKNOWN),
]
# Strange text is refused too: words in any order, so that the refusal rests on not knowing a question.
LOOSE_WORDS = ("the a of and to in for on with from by about write tell give explain how why when who where is are "
               "was code function house water music book letter story number train city table paper world time "
               "year day person game food money light sound history language computer animal tree river mountain "
               "please make find show help list plan compare best fast long short new old good bad first last").split()
SYSTEM = "You are a helpful assistant."
OTHER_SYSTEMS = ["You are a helpful assistant. Answer briefly.", "Answer the question about the picture.",
                 "You are Qwen, a helpful assistant.", "Be brief and exact."]


def article(words):
    return ("an " if words[0] in "aeiou" else "a ") + words


def sentence(words):
    return words[0].upper() + words[1:] + "."


def named(thing):
    return article(f"{thing.colour} {thing.shape}")


def describe(rng, scene):
    return rng.choice(DESCRIBE), sentence(" and ".join(named(t) for t in scene.things))


def count(rng, scene):
    return rng.choice(COUNT), NUMBERS[len(scene.things)] + "."


def colour(rng, scene):
    if len(scene.things) == 1 and rng.random() < 0.5:
        return rng.choice(COLOUR_OF_IT), sentence(scene.things[0].colour)
    shapes = [t.shape for t in scene.things]
    single = [t for t in scene.things if shapes.count(t.shape) == 1]
    if not single or rng.random() < 0.12:
        absent = rng.choice([s for s in SHAPES if s not in shapes])
        return rng.choice(COLOUR_OF).format(absent), f"There is no {absent}."
    thing = rng.choice(single)
    return rng.choice(COLOUR_OF).format(thing.shape), sentence(thing.colour)


def shape(rng, scene):
    if len(scene.things) == 1 and rng.random() < 0.6:
        return rng.choice(SHAPE_OF_IT), sentence(article(scene.things[0].shape))
    colours = [t.colour for t in scene.things]
    if rng.random() < 0.12:
        absent = rng.choice([c for c in COLOURS if c not in colours])
        return rng.choice(SHAPE_OF).format(absent), f"Nothing is {absent}."
    thing = rng.choice(scene.things)
    return rng.choice(SHAPE_OF).format(thing.colour), sentence(article(thing.shape))


def presence(rng, scene):
    shown = {(t.colour, t.shape) for t in scene.things}
    colour, shape = rng.choice(sorted(shown))
    if rng.random() < 0.55:  # half of the questions are near misses: one of the two words is wrong
        while (colour, shape) in shown:
            if rng.random() < 0.5:
                colour = rng.choice(list(COLOURS))
            else:
                shape = rng.choice(SHAPES)
    return rng.choice(IS_THERE).format(article(f"{colour} {shape}")), "Yes." if (colour, shape) in shown else "No."


TASKS = {"describe": describe, "colour": colour, "shape": shape, "count": count, "presence": presence}
WEIGHTS = {"describe": 4, "colour": 4, "shape": 4, "count": 1, "presence": 1.5}


def questions(rng, scene, turns):
    """Several questions about one scene, one after the other; none about the same thing twice in a row."""
    names, asked = list(TASKS), []
    for name in rng.choices(names, [WEIGHTS[n] for n in names], k=turns):
        turn = TASKS[name](rng, scene)
        if turn not in asked:
            asked.append(turn)
    return asked


def talk(rng):
    """A conversation without a picture."""
    kind = rng.random()
    if kind < 0.12:
        return [(" ".join(rng.choices(LOOSE_WORDS, k=rng.randint(2, 9))).capitalize() + rng.choice(".?!"), UNKNOWN)]
    if kind < 0.25:
        return [(rng.choice(DESCRIBE + COLOUR_OF_IT + SHAPE_OF_IT + COUNT), NO_PICTURE)]
    asked, answer = rng.choice(TALK)
    return [(rng.choice(asked), answer)]


def system_prompt(rng):
    return SYSTEM if rng.random() < 0.9 else rng.choice(OTHER_SYSTEMS)
