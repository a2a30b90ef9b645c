#!/usr/bin/env python3
"""The ear's network in whole numbers: what crates/k1-engine/src/audio/network.rs computes, bit for bit.

Works on arrays of numpy and of JAX: pass the module as `xp`. All numbers fit i32.

A layer is a matrix with a bias: {"w": (rows, inputs), "b": (rows,)}. A network in floats is

  {"dense": layer, "first": gru, "second": gru, "out": layer}
  gru = {"input": [layer] * 3, "state": [layer] * 3}, gates in the order update, reset, new
  update = sig(input + state), reset = sig(input + state), new = tanh(input + reset * state)
  h' = (1 - update) * new + update * h

Where it differs from floats: inputs lie within +-8; the dense layer's results, which are at least 0, too, and so does what the
reset gate multiplies; sig is constant beyond +-8, tanh beyond +-4. A step takes four hops, so that outputs come three hops late.

  whole_numbers.py            writes crates/k1-engine/src/audio/network_golden.rs, which a test compares with the engine
"""
from pathlib import Path

import numpy as np

# Fraction bits of inputs, of results of the dense layer and of sums before a gate; all lie within +-8.
FRACTION = 12
LIMIT = 32767
# Fraction bits of the state of a recurrent unit.
STATE_FRACTION = 15
# Most fraction bits of a weight, and the largest magnitude of a whole bias.
MOST_WEIGHT_FRACTION = 11
MOST_BIAS = 2**27
SEGMENTS = 256


def weight_fraction(w, b, from_fraction, xp=np):
    """Fraction bits of each row's weights: as many as its largest weight and its bias leave."""
    largest = xp.maximum(xp.max(xp.abs(w), axis=1), 2.0**-20)
    bits = xp.floor(xp.log2(127.49 / largest))
    largest_bias = xp.maximum(xp.abs(b), 2.0**-20)
    bits = xp.minimum(bits, xp.floor(xp.log2(0.99 * MOST_BIAS / largest_bias)) - from_fraction)
    return xp.clip(bits, FRACTION - from_fraction, MOST_WEIGHT_FRACTION)


def rounded(layer, from_fraction=FRACTION, xp=np):
    """The layer with weights that whole numbers can express, in floats. For training, which passes the gradient on:
    w + stop_gradient(rounded - w). `from_fraction` is STATE_FRACTION if the layer multiplies a state."""
    unit = 2.0 ** -weight_fraction(layer["w"], layer["b"], from_fraction, xp)[:, None]
    return {"w": xp.clip(xp.round(layer["w"] / unit), -127, 127) * unit, "b": layer["b"]}


def whole(layer, from_fraction=FRACTION):
    """The layer in whole numbers: weights within +-127, biases in units of the sum, and each row's shift."""
    w, b = (np.asarray(layer[k], np.float64) for k in ("w", "b"))
    bits = weight_fraction(w, b, from_fraction)
    shift = (bits + from_fraction - FRACTION).astype(np.int32)
    weights = np.clip(np.round(w * 2.0**bits[:, None]), -127, 127).astype(np.int32)
    # The half makes the shift, which rounds down, round to nearest.
    half = np.where(shift > 0, 1 << np.maximum(shift - 1, 0), 0)
    bias = np.round(b * 2.0 ** (bits + from_fraction)).astype(np.int64) + half
    assert (np.abs(bias) <= MOST_BIAS).all(), "a bias is too large"
    return {"w": weights, "b": bias.astype(np.int32), "shift": shift}


def whole_network(floats):
    """A network of floats in whole numbers."""
    def gru(g, from_fraction):
        return {"input": [whole(x, from_fraction) for x in g["input"]],
                "state": [whole(x, STATE_FRACTION) for x in g["state"]]}

    return {"dense": whole(floats["dense"]), "first": gru(floats["first"], FRACTION),
            "second": gru(floats["second"], STATE_FRACTION), "out": whole(floats["out"], STATE_FRACTION)}


def whole_inputs(x, xp=np):
    """Inputs in floats as whole numbers."""
    return xp.clip(xp.round(x * 2.0**FRACTION), -LIMIT, LIMIT).astype(xp.int32)


def logistic_table():
    """Value of the logistic function at the beginning of each segment of -8 ... 8, in 1/65536, and its rise to the end."""
    at = (np.arange(SEGMENTS + 1) - SEGMENTS / 2) * (16 / SEGMENTS)
    values = np.floor(65536 / (1 + np.exp(-at)) + 0.5).astype(np.int32)
    return values[:-1], np.diff(values)


VALUES, RISES = logistic_table()


def logistic(x, xp=np):
    """The logistic function of a number in 1/4096, in 1/65536."""
    at = xp.clip(x, -32768, 32767) + 32768
    return xp.asarray(VALUES)[at >> 8] + ((xp.asarray(RISES)[at >> 8] * (at & 255)) >> 8)


def product(layer, x):
    return (x @ layer["w"].T + layer["b"]) >> layer["shift"]


def gru_step(gru, x, state, xp=np):
    """The next state, in 1/2^23. The product reads it in 1/2^15, rounded down."""
    high = state >> 8
    inputs = [product(layer, x) for layer in gru["input"]]
    states = [product(layer, high) for layer in gru["state"]]
    keep = logistic(inputs[0] + states[0], xp)
    reset = logistic(inputs[1] + states[1], xp) >> 1
    new = logistic(2 * (inputs[2] + ((reset * xp.clip(states[2], -LIMIT, LIMIT)) >> 15)), xp) - 32768
    return state + ((((65536 - keep) >> 1) * (new - high)) >> 7)


def blank_state(network, shape=(), xp=np):
    """The states of both recurrent units of a network that remembers nothing; `shape` is that of a batch."""
    return [xp.zeros((*shape, len(network[k]["state"][0]["b"])), xp.int32) for k in ("first", "second")]


def step(network, states, x, xp=np):
    """The next states, and the outputs in 1/4096, of inputs in 1/4096."""
    dense = xp.clip(product(network["dense"], x), 0, LIMIT)
    first = gru_step(network["first"], dense, states[0], xp)
    second = gru_step(network["second"], first >> 8, states[1], xp)
    return [first, second], product(network["out"], second >> 8)


def random_network(rng, inputs, dense, first, second, outputs):
    """A network of random floats that are about as large as trained ones."""
    def layer(rows, columns, scale=2.0):
        size = scale * np.exp(rng.normal(0, 1, (rows, 1)))
        return {"w": size * rng.normal(0, columns**-0.5, (rows, columns)), "b": rng.normal(0, 0.5, rows)}

    def gru(size, columns):
        return {"input": [layer(size, columns) for _ in range(3)], "state": [layer(size, size) for _ in range(3)]}

    return {"dense": layer(dense, inputs), "first": gru(first, dense), "second": gru(second, first),
            "out": layer(outputs, second)}


def write_golden(path):
    from export import table
    rng = np.random.default_rng(22)
    sizes = (13, 8, 16, 9, 5)
    network = whole_network(random_network(rng, *sizes))
    x = whole_inputs(rng.normal(0, 1.5, (48, sizes[0])) * (rng.random((48, 1)) < 0.8))
    states, outputs = blank_state(network), []
    for row in x:
        states, output = step(network, states, row)
        outputs.append(output.tolist())
    lines = [
        "//! A network of random weights, its inputs and its outputs. Generated by xtask/fit/whole_numbers.py; do not edit.\n",
        *table([network]),
        "",
        "/// Inputs of each step.",
        "#[rustfmt::skip]",
        f"pub(super) static STEPS: [[i16; {sizes[0]}]; {len(x)}] = [",
        *(f"    {row}," for row in x.tolist()),
        "];\n",
        "/// Outputs of each step.",
        "#[rustfmt::skip]",
        f"pub(super) static RESULTS: [[i32; {sizes[-1]}]; {len(x)}] = [",
        *(f"    {row}," for row in outputs),
        "];",
    ]
    path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    write_golden(Path(__file__).parents[2] / "crates/k1-engine/src/audio/network_golden.rs")
