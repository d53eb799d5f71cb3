#!/usr/bin/env python3
"""Measure OpenVINO GenAI on a converted model; prints one JSON object.

    openvino_peer.py --model ov-int4 [--image 1024x1024] [--prompt-tokens 512] [--new-tokens 64] [--batch 8]

Text goes through VLMPipeline as pictures do. How long the vision tower takes is what the pipeline itself reports for
preparing embeddings; the text's part of that is microseconds.
"""

import argparse
import json
import random
import statistics
import time

import numpy as np
import openvino as ov
import openvino_genai as genai

from memory import peak_bytes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--image", action="append", default=[])
    parser.add_argument("--prompt-tokens", type=int, default=512)
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    start = time.perf_counter()
    pipeline = genai.VLMPipeline(options.model, "CPU", INFERENCE_NUM_THREADS=options.threads)
    result = {"name": f"OpenVINO GenAI {genai.__version__}", "load": time.perf_counter() - start}
    source = random.Random(1)
    words = ["ship", "tree", "road", "lamp", "hand", "rain", "door", "bird", "salt", "moon"]

    def generate(count, new, images=()):
        """(prompt tokens, seconds to the first token, seconds a later token, seconds for embeddings)"""
        settings = genai.GenerationConfig()
        settings.max_new_tokens = new
        settings.ignore_eos = True
        settings.do_sample = False
        prompt = " ".join(source.choice(words) for _ in range(count))
        answer = pipeline.generate(prompt, images=list(images), generation_config=settings)
        metrics = answer.perf_metrics
        return (
            metrics.get_num_input_tokens(), metrics.get_ttft().mean / 1e3, metrics.get_tpot().mean / 1e3,
            metrics.get_prepare_embeddings_duration().mean / 1e3)

    generate(8, 2)  # warm
    if options.prompt_tokens:
        around = generate(1, 1)[0] - 1  # the template's own
        runs = [generate(options.prompt_tokens - around, options.new_tokens) for _ in range(options.repetitions)]
        result["prefill"] = statistics.median(run[0] / run[1] for run in runs)
        result["prefill_tokens"] = runs[0][0]
        result["decode"] = statistics.median(1 / run[2] for run in runs)
        result["peak_text"] = peak_bytes()
    if options.image:
        result["pictures"] = {}
    for image in options.image:
        width, height = map(int, image.split("x"))
        runs = []
        for index in range(options.repetitions):
            pixels = np.random.default_rng(index).integers(0, 256, (1, height, width, 3), dtype=np.uint8)
            runs.append(generate(16, 2, [ov.Tensor(pixels)]))
        result["pictures"][image] = {
            "vision": statistics.median(run[3] for run in runs),
            "first_token": statistics.median(run[1] for run in runs), "prompt_tokens": runs[0][0]}
        result["peak"] = peak_bytes()
    if options.batch > 1:
        del pipeline
        try:
            scheduler = genai.SchedulerConfig()
            scheduler.cache_size = 2
            scheduler.max_num_seqs = options.batch
            together = genai.ContinuousBatchingPipeline(
                options.model, scheduler, "CPU", {"INFERENCE_NUM_THREADS": options.threads})
            settings = genai.GenerationConfig()
            settings.max_new_tokens = 32
            settings.ignore_eos = True
            settings.do_sample = False

            def step(new):
                settings.max_new_tokens = new
                prompts = [" ".join(source.choice(words) for _ in range(8)) for _ in range(options.batch)]
                began = time.perf_counter()
                together.generate(prompts, images=[[] for _ in prompts], generation_config=[settings] * options.batch)
                return time.perf_counter() - began

            step(2)
            # The difference of a long and a short answer leaves out reading the prompts.
            rates = [options.batch * 30 / (step(32) - step(2)) for _ in range(options.repetitions)]
            result["batch"] = statistics.median(rates)
        except Exception as error:  # said in the table
            result["batch_error"] = str(error).strip().splitlines()[-1][:200]
    print(json.dumps(result))


if __name__ == "__main__":
    main()
