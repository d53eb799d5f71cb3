#!/usr/bin/env python3
"""How far the rotary tables of the C library's float functions lie from the reference's.

The product computes frequencies with powf and tables with cosf and sinf of the platform's C library; the reference
computes both with PyTorch. Prints the differences for the official text and vision shapes.
"""

import ctypes
import ctypes.util

import numpy as np
import torch

libm = ctypes.CDLL(ctypes.util.find_library("m"))
for name, arity in [("powf", 2), ("cosf", 1), ("sinf", 1)]:
    function = getattr(libm, name)
    function.restype, function.argtypes = ctypes.c_float, [ctypes.c_float] * arity


def each(function, values):
    return np.array([function(value) for value in values.ravel().tolist()], np.float32).reshape(values.shape)


def frequencies(dimensions, base):
    exponents = np.arange(0, dimensions, 2, dtype=np.float32) / np.float32(dimensions)
    return np.float32(1) / each(lambda x: libm.powf(base, x), exponents)


def show(what, ours, theirs):
    distance = np.abs(ours.astype(np.float64) - theirs).max()
    print(f"  {what}: {np.mean(ours != theirs):.2%} differ, at most {distance:.1e}")


# Every 37th position of 128k: the C library is called value by value.
for name, dimensions, base, positions in [("text", 128, 1e6, range(0, 131072, 37)), ("vision", 40, 1e4, range(1024))]:
    print(f"{name}: rotary dimensions {dimensions}, base {base:g}, positions 0 to {positions[-1]}")
    ours = frequencies(dimensions, base)
    theirs = (1.0 / (base ** (torch.arange(0, dimensions, 2, dtype=torch.int64).float() / dimensions))).numpy()
    print(f"  frequencies: {np.sum(ours != theirs)} of {len(ours)} differ, relative at most "
          f"{np.abs(ours / theirs.astype(np.float64) - 1).max():.1e}")
    position = np.array(positions, np.float32)[:, None]
    angles = torch.from_numpy(position * theirs)
    for function, reference in [("cosf", angles.cos()), ("sinf", angles.sin())]:
        show(f"{function} of the reference's angles", each(getattr(libm, function), angles.numpy()), reference.numpy())
    show("cosines, all of it", each(libm.cosf, position * ours), angles.cos().numpy())
    exact = position.astype(np.float64) / float(base) ** (np.arange(0, dimensions, 2) / dimensions)
    print(f"  the reference's own angles against double precision: at most {np.abs(angles.numpy() - exact).max():.1e}")
