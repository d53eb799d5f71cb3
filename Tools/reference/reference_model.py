"""The reference: Transformers 4.49.0 and qwen-vl-utils 0.0.11 on a checkpoint directory.

`Reference` loads any naming scheme and any form of config.json, prepares conversations as the model card does,
and returns what the model computes, down to the activations of each layer.
"""

import json
from pathlib import Path

import numpy as np
import torch
from qwen_vl_utils import process_vision_info
from safetensors.torch import load_file
from transformers import (AutoTokenizer, Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor,
                          Qwen2VLImageProcessor, logging)
from transformers.modeling_utils import no_init_weights

from random_checkpoint import reference_config

logging.set_verbosity_error()  # it warns of the made-up configurations and of decoding without an end


def reference_name(name):
    """The name 4.49.0 gives to a tensor, whichever scheme the file follows."""
    if name.startswith("model.visual."):
        return name.removeprefix("model.")
    if name.startswith("model.language_model."):
        return "model." + name.removeprefix("model.language_model.")
    return name


class Reference:
    def __init__(self, directory, dtype=torch.float32):
        directory = Path(directory)
        self.config = reference_config(json.loads((directory / "config.json").read_text(encoding="utf-8")))
        tokenizer = AutoTokenizer.from_pretrained(directory, padding_side="left")
        template = json.loads((directory / "chat_template.json").read_text(encoding="utf-8"))["chat_template"]
        image_processor = Qwen2VLImageProcessor.from_pretrained(directory)
        self.processor = Qwen2_5_VLProcessor(image_processor, tokenizer, chat_template=template)
        with no_init_weights():
            self.model = Qwen2_5_VLForConditionalGeneration._from_config(
                self.config, torch_dtype=dtype, attn_implementation="eager").eval()
        weights = {}
        for file in sorted(directory.glob("*.safetensors")):
            weights.update({reference_name(name): w.to(dtype) for name, w in load_file(file).items()})
        if self.config.tie_word_embeddings:
            weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
        self.model.load_state_dict(weights, strict=True, assign=True)
        self.model.tie_weights()

    def prepare(self, conversations):
        """The model's inputs for a batch of conversations, with the texts before tokenisation."""
        texts = [self.processor.apply_chat_template(c, tokenize=False, add_generation_prompt=True)
                 for c in conversations]
        images, videos, video_options = process_vision_info(conversations, return_video_kwargs=True)
        options = video_options if videos else {}
        inputs = self.processor(text=list(texts), images=images, videos=videos, padding=True, return_tensors="pt",
                                **options)
        return texts, inputs

    @torch.no_grad()
    def positions(self, inputs):
        """position_ids [3, batch, tokens] and rope_deltas [batch, 1]."""
        return self.model.get_rope_index(
            inputs["input_ids"], inputs.get("image_grid_thw"), inputs.get("video_grid_thw"),
            inputs.get("second_per_grid_ts"), inputs["attention_mask"])

    @torch.no_grad()
    def greedy(self, inputs, new_tokens):
        """Greedy ids [batch, steps] and the raw logits of every step [batch, steps, vocabulary]."""
        out = self.model.generate(
            **inputs, max_new_tokens=new_tokens, do_sample=False, repetition_penalty=1.0, temperature=None,
            output_logits=True, return_dict_in_generate=True, eos_token_id=-1,
            pad_token_id=self.config.bos_token_id)
        ids = out.sequences[:, inputs["input_ids"].shape[1]:]
        return ids, torch.stack([logits.float() for logits in out.logits], dim=1)

    @torch.no_grad()
    def forced(self, inputs, ids):
        """The logits [batch, steps, vocabulary] from which each of `ids` [batch, steps] was chosen."""
        steps = ids.shape[1]
        inputs = dict(inputs)
        inputs["input_ids"] = torch.cat([inputs["input_ids"], ids], dim=1)
        inputs["attention_mask"] = torch.cat([inputs["attention_mask"], torch.ones_like(ids)], dim=1)
        # Generated placeholders are text: the reference sees pictures in the prompt only, so the positions and
        # the embeddings are made by hand, as its decoding makes them.
        prompt = inputs["input_ids"].shape[1] - steps
        inputs["position_ids"] = self._forced_positions(inputs, prompt)
        inputs["inputs_embeds"] = self._embeddings(inputs, prompt)
        logits = self.model(inputs_embeds=inputs["inputs_embeds"], position_ids=inputs["position_ids"],
                            attention_mask=inputs["attention_mask"], use_cache=False).logits
        return logits[:, prompt - 1:-1].float()

    def _forced_positions(self, inputs, prompt):
        cut = dict(inputs, input_ids=inputs["input_ids"][:, :prompt],
                   attention_mask=inputs["attention_mask"][:, :prompt])
        positions, deltas = self.positions(cut)
        steps = torch.arange(prompt, inputs["input_ids"].shape[1])
        decoded = (steps[None] + deltas.reshape(-1, 1))[None].expand(3, -1, -1)
        return torch.cat([positions, decoded], dim=2)

    def _embeddings(self, inputs, prompt):
        embeddings = self.model.model.embed_tokens(inputs["input_ids"])
        in_prompt = torch.arange(embeddings.shape[1]) < prompt
        for pixels, grid, token in (("pixel_values", "image_grid_thw", self.config.image_token_id),
                                    ("pixel_values_videos", "video_grid_thw", self.config.video_token_id)):
            if pixels in inputs:
                features = self.model.visual(inputs[pixels].to(embeddings.dtype), grid_thw=inputs[grid])
                embeddings[(inputs["input_ids"] == token) & in_prompt] = features.to(embeddings.dtype)
        return embeddings

    @torch.no_grad()
    def activations(self, inputs):
        """Named activations of the prefill, float32. The rows of the vision blocks are in window order, those of
        the patch embedding in the processor's, those of the merger in the prompt's."""
        recorded, handles = {}, []

        def keep(name):
            def hook(module, arguments, output):
                value = output[0] if isinstance(output, tuple) else output
                recorded[name] = torch.cat([recorded[name], value.float()]) if name in recorded else value.float()
            return hook

        def keep_input(module, arguments, keywords):
            recorded["text.embed"] = (arguments[0] if arguments else keywords["hidden_states"]).float()

        tower, decoder = self.model.visual, self.model.model
        handles.append(tower.patch_embed.register_forward_hook(keep("vision.patch_embed")))
        for i, block in enumerate(tower.blocks):
            handles.append(block.register_forward_hook(keep(f"vision.block.{i}")))
        handles.append(tower.register_forward_hook(keep("vision.merger")))
        handles.append(decoder.layers[0].register_forward_pre_hook(keep_input, with_kwargs=True))
        for i, layer in enumerate(decoder.layers):
            handles.append(layer.register_forward_hook(keep(f"text.layer.{i}")))
        handles.append(decoder.norm.register_forward_hook(keep("text.norm")))
        try:
            logits = self.model(**inputs, use_cache=False).logits
        finally:
            for handle in handles:
                handle.remove()
        recorded["logits"] = logits[:, -1].float()
        return recorded


def top_logprobs(logits, count=20):
    """ids and log probabilities of the `count` most likely tokens, best first, for one row of logits."""
    best = torch.log_softmax(logits.float(), dim=-1).topk(count)
    return best.indices.tolist(), best.values.tolist()


def margins(logits):
    """How far the first choice lies before the second, at every step."""
    best = logits.topk(2, dim=-1).values
    return best[..., 0] - best[..., 1]


def float32_list(values):
    """Shortest decimals that read back as the same float32, for JSON."""
    return [float(np.format_float_positional(v, unique=True, trim="0")) if np.isfinite(v) else None
            for v in np.asarray(values, dtype=np.float32).ravel()]
