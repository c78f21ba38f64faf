// Whether the page is as narrow as a telephone, as the style sheets have it.

import { useSyncExternalStore } from "react";

const query = matchMedia("(max-width: 640px)");

const subscribe = (listener: () => void) => {
  query.addEventListener("change", listener);
  return () => query.removeEventListener("change", listener);
};

export const useNarrow = () => useSyncExternalStore(subscribe, () => query.matches);
