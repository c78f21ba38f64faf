import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app";
import { LiveConnection } from "./live";
import { ThemeProvider } from "./theme";
import { keepTokenOfAddress } from "./token";
import "./theme.css";

keepTokenOfAddress();

const live = new LiveConnection();

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <ThemeProvider>
      <App live={live} />
    </ThemeProvider>
  </StrictMode>,
);
