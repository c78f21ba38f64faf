// First, because the style sheets of the parts come after these.
import "./styles/fonts.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/tables.css";
import "./styles/layout.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app";
import { LiveConnection } from "./live";
import { ThemeProvider } from "./theme";
import { keepTokenOfAddress } from "./token";

keepTokenOfAddress();

const live = new LiveConnection();

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <ThemeProvider>
      <App live={live} />
    </ThemeProvider>
  </StrictMode>,
);
