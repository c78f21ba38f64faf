// zrender, which draws for ECharts, caches text measurements in an object with the text as the key.
// A run may contain the name "__proto__" or "constructor": zrender would find a property that every
// object has, take it for a cache entry, and write its links into all objects of the page. An
// object without a prototype has no such property.

import LRU from "zrender/lib/core/LRU.js";

interface Cache {
  _map: object;
}

let mended = false;

/** Makes zrender's caches accept any text as a key; must run before a chart measures text. */
export function holdAnyText(): void {
  if (mended) {
    return;
  }
  mended = true;
  const { get, put } = LRU.prototype;
  const withoutPrototype = (cache: unknown) => Object.setPrototypeOf((cache as Cache)._map, null);
  LRU.prototype.get = function (this: InstanceType<typeof LRU>, key: string | number) {
    withoutPrototype(this);
    return get.call(this, key);
  };
  LRU.prototype.put = function (this: InstanceType<typeof LRU>, key: string | number, value: unknown) {
    withoutPrototype(this);
    return put.call(this, key, value);
  };
}
