// The dark or light theme: the system's, until the user chooses one.

import { createContext, useContext, useEffect, useState, type ReactNode } from "react";

type Theme = "dark" | "light";
const KEY = "enprof-theme";

const Context = createContext<{ theme: Theme; toggle: () => void }>({
  theme: "dark",
  toggle: () => undefined,
});

export const useTheme = () => useContext(Context);

export function ThemeProvider({ children }: { children: ReactNode }) {
  const [theme, setTheme] = useState<Theme>(() => {
    const kept = localStorage.getItem(KEY);
    if (kept === "dark" || kept === "light") {
      return kept;
    }
    return matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
  });
  document.documentElement.dataset.theme = theme;
  useEffect(() => localStorage.setItem(KEY, theme), [theme]);
  const toggle = () => setTheme(theme === "dark" ? "light" : "dark");
  return <Context.Provider value={{ theme, toggle }}>{children}</Context.Provider>;
}
