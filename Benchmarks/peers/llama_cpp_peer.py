#!/usr/bin/env python3
"""Measure llama.cpp through llama-cpp-python's C interface; prints one JSON object.

    llama_cpp_peer.py --text text.gguf [--vision mmproj.gguf --image 1024x1024] [--prompt-tokens 512] [--new-tokens 64]
                      [--batch 8] [--threads 2] [--repetitions 3] [--no-mmap]
"""

import argparse
import ctypes
import json
import random
import statistics
import time

import llama_cpp as llama
import llama_cpp.mtmd_cpp as mtmd
import numpy as np

from memory import peak_bytes

VOCABULARY = 151000


@llama.llama_log_callback
def silent(level, text, data):
    pass


class Peer:
    def __init__(self, options):
        self.options = options
        llama.llama_log_set(silent, ctypes.c_void_p(0))
        mtmd.mtmd_log_set(silent, ctypes.c_void_p(0))
        mtmd.mtmd_helper_log_set(silent, ctypes.c_void_p(0))
        llama.llama_backend_init()
        model = llama.llama_model_default_params()
        model.use_mmap = options.mmap
        start = time.perf_counter()
        self.model = llama.llama_model_load_from_file(options.text.encode(), model)
        if not self.model:
            raise SystemExit(f"{options.text}: cannot be loaded")
        context = llama.llama_context_default_params()
        context.n_ctx = options.context
        context.n_batch = context.n_ubatch = 512
        context.n_seq_max = max(1, options.batch)
        context.n_threads = context.n_threads_batch = options.threads
        context.kv_unified = True
        self.context = llama.llama_init_from_model(self.model, context)
        self.load_seconds = time.perf_counter() - start
        self.vocabulary = min(VOCABULARY, llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(self.model)))
        self.random = random.Random(1)

    def forget(self):
        llama.llama_memory_clear(llama.llama_get_memory(self.context), True)

    def decode(self, tokens, positions, sequences, logits):
        """One pass over rows of (token, position, sequence); seconds."""
        batch = llama.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for row, (token, position, sequence) in enumerate(zip(tokens, positions, sequences)):
            batch.token[row], batch.pos[row] = token, position
            batch.n_seq_id[row], batch.seq_id[row][0] = 1, sequence
            batch.logits[row] = logits[row]
        start = time.perf_counter()
        status = llama.llama_decode(self.context, batch)
        llama.llama_get_logits(self.context)
        seconds = time.perf_counter() - start
        llama.llama_batch_free(batch)
        if status:
            raise SystemExit(f"llama_decode: {status}")
        return seconds

    def tokens(self, count):
        return [self.random.randrange(self.vocabulary) for _ in range(count)]

    def prefill(self, count, sequence=0):
        seconds = 0
        for first in range(0, count, 512):
            rows = min(512, count - first)
            seconds += self.decode(
                self.tokens(rows), range(first, first + rows), [sequence] * rows, [0] * (rows - 1) + [1])
        return seconds

    def answer(self, past, count, sequences):
        """Seconds of `count` steps in which each sequence gets a token."""
        return sum(
            self.decode(self.tokens(sequences), [past + step] * sequences, range(sequences), [1] * sequences)
            for step in range(count))

    # Pictures

    def open_vision(self):
        params = mtmd.mtmd_context_params_default()
        params.use_gpu = False
        params.n_threads = self.options.threads
        params.warmup = False
        self.vision = mtmd.mtmd_init_from_file(self.options.vision.encode(), self.model, params)
        if not self.vision:
            raise SystemExit(f"{self.options.vision}: cannot be loaded")

    def picture(self, width, height):
        """(seconds of the vision tower, seconds to the first token, patches) of a picture with a short question."""
        self.forget()
        pixels = np.random.default_rng(self.random.randrange(1 << 30)).integers(
            0, 256, height * width * 3, dtype=np.uint8)
        data = pixels.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        bitmap = mtmd.mtmd_bitmap_init(width, height, data)
        marker = mtmd.mtmd_default_marker()
        text = b"<|im_start|>user\n" + marker + b"a b a b a b a b a b a b a b a b<|im_end|>\n"
        chunks = mtmd.mtmd_input_chunks_init()
        start = time.perf_counter()
        bitmaps = (mtmd.mtmd_bitmap_p_ctypes * 1)(bitmap)
        status = mtmd.mtmd_tokenize(
            self.vision, chunks, ctypes.byref(mtmd.mtmd_input_text(text, len(text), False, True)), bitmaps, 1)
        if status:
            raise SystemExit(f"mtmd_tokenize: {status}")
        past, encoding, tokens = llama.llama_pos(0), 0, 0
        count = mtmd.mtmd_input_chunks_size(chunks)
        for index in range(count):
            chunk = mtmd.mtmd_input_chunks_get(chunks, index)
            last = index == count - 1
            if mtmd.mtmd_input_chunk_get_type(chunk) == mtmd.MTMD_INPUT_CHUNK_TYPE_IMAGE:
                tokens += mtmd.mtmd_input_chunk_get_n_tokens(chunk)
                began = time.perf_counter()
                if mtmd.mtmd_encode_chunk(self.vision, chunk):
                    raise SystemExit("mtmd_encode_chunk failed")
                embeddings = mtmd.mtmd_get_output_embd(self.vision)
                encoding += time.perf_counter() - began
                status = mtmd.mtmd_helper_decode_image_chunk(
                    self.vision, self.context, chunk, embeddings, past, 0, 512, ctypes.byref(past),
                    mtmd.mtmd_helper_post_decode_callback(0), None)
            else:
                status = mtmd.mtmd_helper_eval_chunk_single(
                    self.vision, self.context, chunk, past, 0, 512, last, ctypes.byref(past))
            if status:
                raise SystemExit(f"mtmd: {status}")
        llama.llama_get_logits(self.context)
        total = time.perf_counter() - start
        mtmd.mtmd_input_chunks_free(chunks)
        mtmd.mtmd_bitmap_free(bitmap)
        return encoding, total, tokens * 4


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", required=True)
    parser.add_argument("--vision")
    parser.add_argument("--image", action="append", default=[])
    parser.add_argument("--prompt-tokens", type=int, default=512)
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--context", type=int, default=4096)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--no-mmap", dest="mmap", action="store_false")
    options = parser.parse_args()
    peer = Peer(options)
    result = {"name": "llama.cpp", "load": peer.load_seconds}
    peer.prefill(16)  # warm
    prefill, decode, together = [], [], []
    for _ in range(options.repetitions):
        if options.prompt_tokens:
            peer.forget()
            prefill.append(options.prompt_tokens / peer.prefill(options.prompt_tokens))
        if options.new_tokens:
            decode.append(options.new_tokens / peer.answer(options.prompt_tokens, options.new_tokens, 1))
        if options.batch > 1:
            peer.forget()
            for sequence in range(options.batch):
                peer.prefill(32, sequence)
            steps = min(32, options.new_tokens)
            together.append(options.batch * steps / peer.answer(32, steps, options.batch))
    for name, values in (("prefill", prefill), ("decode", decode), ("batch", together)):
        if values:
            result[name] = statistics.median(values)
    result["peak_text"] = peak_bytes()
    if options.vision:
        peer.open_vision()
        result["pictures"] = {}
        for image in options.image:
            width, height = map(int, image.split("x"))
            runs = [peer.picture(width, height) for _ in range(options.repetitions)]
            result["pictures"][image] = {
                "vision": statistics.median(run[0] for run in runs),
                "first_token": statistics.median(run[1] for run in runs), "patches": runs[0][2]}
        result["peak"] = peak_bytes()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
