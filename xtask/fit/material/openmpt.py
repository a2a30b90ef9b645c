"""Tracker modules through libopenmpt: sound, and when each row is played."""

import ctypes
from ctypes import c_char_p, c_double, c_int32, c_size_t, c_void_p

import numpy as np

# Samples between two looks at the row.
STEP = 32

_lib = ctypes.CDLL("libopenmpt.so.0")
_PREFIX = "openmpt_module_"


def _function(name, result, *arguments):
    f = getattr(_lib, _PREFIX + name)
    f.restype, f.argtypes = result, list(arguments)
    return f


_create = _function("create_from_memory2", c_void_p, c_char_p, c_size_t, *[c_void_p] * 7)
_destroy = _function("destroy", None, c_void_p)
_read = _function("read_float_mono", c_size_t, c_void_p, c_int32, c_size_t, c_void_p)
_order = _function("get_current_order", c_int32, c_void_p)
_row = _function("get_current_row", c_int32, c_void_p)
_pattern = _function("get_current_pattern", c_int32, c_void_p)
_rows_of = _function("get_pattern_num_rows", c_int32, c_void_p, c_int32)
_duration = _function("get_duration_seconds", c_double, c_void_p)


def render(path, seconds, rate=44_100):
    """Mono samples, rows as (second, order, row, pattern), rows of each pattern, and the seconds of the module."""
    with open(path, "rb") as f:
        data = f.read()
    module = _create(data, len(data), *[None] * 7)
    if not module:
        raise ValueError(f"{path} is not a module")
    size = int(seconds * rate)
    samples, given, last, rows = np.zeros(size, np.float32), 0, None, []
    address = samples.ctypes.data
    while given < size:
        read = _read(module, rate, min(STEP, size - given), address + 4 * given)
        if read == 0:
            break
        now = _order(module), _row(module)
        if now != last:
            last = now
            rows.append((given / rate, *now, _pattern(module)))
        given += read
    patterns = {pattern: _rows_of(module, pattern) for pattern in {row[3] for row in rows}}
    duration = _duration(module)
    _destroy(module)
    return samples[:given], rows, patterns, duration
