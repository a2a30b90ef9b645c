// The strip of a lamp, and how it is set up.

import { ask } from './link.js';

/** Fills the form of the setup, on a lamp; `toast` tells what became of a change. */
export function setup(form, now, toast) {
  if (!now.color_order) return;
  const own = form.elements;
  const [shape, size = '16x16'] = now.shape.split(/:(.*)/);
  Object.entries({ name: now.name, leds: now.leds, order: now.color_order.slice(0, 3), shape, size }).forEach(([key, value]) => { own[key].value = value; });
  own.white.checked = now.color_order[3];
  form.onchange = () => {
    const matrix = own.shape.value === 'matrix';
    own.size.parentElement.hidden = !matrix;
    own.leds.parentElement.hidden = matrix;
  };
  form.onchange();
  form.parentElement.hidden = false;
  form.onsubmit = async (event) => {
    event.preventDefault();
    const matrix = own.shape.value === 'matrix';
    const wanted = {
      name: own.name.value,
      color_order: own.order.value + (own.white.checked ? 'W' : ''),
      shape: own.shape.value + (matrix ? `:${own.size.value}` : ''),
      ...(matrix ? {} : { leds: own.leds.valueAsNumber }),
    };
    for (const key in wanted) if (wanted[key] === now[key]) delete wanted[key];
    try {
      if (Object.keys(wanted).length) setup(form, await ask('POST', 'api/v1/setup', wanted), toast);
      toast('Saved. Switch the lamp off and on to use it.');
    } catch (e) {
      toast(e.message);
    }
  };
}
