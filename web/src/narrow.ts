// Whether the page is as narrow as a phone, by the same limit as in the style sheets.

import { useSyncExternalStore } from "react";

const query = matchMedia("(max-width: 640px)");

const subscribe = (listener: () => void) => {
  query.addEventListener("change", listener);
  return () => query.removeEventListener("change", listener);
};

export const useNarrow = () => useSyncExternalStore(subscribe, () => query.matches);
