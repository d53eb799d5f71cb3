"""Draws the bundled example pictures with held-out seeds, and tells in examples.json what they show.

    examples.py OUT_DIR
"""
import json
import random
import sys

import draw
import tasks

# File, what it must show in the order of telling, and the questions that the demonstration asks about it.
WANTED = [
    ("red-circle.png", ["red circle"], ["What is in the picture?"]),
    ("blue-triangle.jpg", ["blue triangle"], ["What colour is the triangle?", "What shape is it?"]),
    ("yellow-star-black-ring.png", ["yellow star", "black ring"], ["What is in the picture?"]),
    ("green-heart-orange-square.jpg", ["green heart", "orange square"],
     ["What colour is the square?", "How many shapes are there?"]),
]


def answer(question, scene):
    """The truth, by drawing questions until this one comes."""
    rng = random.Random(question)
    while True:
        for task in tasks.TASKS.values():
            asked, told = task(rng, scene)
            if asked == question:
                return told


def main():
    out, listed = sys.argv[1], []
    for name, things, questions in WANTED:
        seed = 0  # the first whose picture is large, on a pale background, and shows what is wanted
        while True:
            rng = random.Random(f"example/{name}/{seed}")
            scene = draw.pick_scene(rng, size=(rng.randrange(168, 225), rng.randrange(168, 225)), things=len(things))
            large = min(t.radius for t in scene.things) > 0.3 * min(scene.size) / len(things)
            pale = min(min(colour) for colour in scene.background) >= 200
            if large and pale and [f"{t.colour} {t.shape}" for t in scene.things] == things:
                break
            seed += 1
        image = draw.render(rng, scene, clean=True)
        image.save(f"{out}/{name}", **(dict(quality=90) if name.endswith(".jpg") else dict(optimize=True)))
        listed.append(dict(file=name, seed=f"example/{name}/{seed}", size=list(image.size), shows=things,
                           questions=[dict(question=q, answer=answer(q, scene)) for q in questions]))
        print(name, image.size, f"seed {seed}")
    with open(f"{out}/examples.json", "w") as file:
        json.dump(listed, file, indent=2)
        file.write("\n")


if __name__ == "__main__":
    main()
