import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// Vitest reports failures with this, which Node.js 20 lacks.
const grouping = Map as unknown as {
  groupBy?: <K, V>(list: Iterable<V>, keyOf: (value: V) => K) => Map<K, V[]>;
};
grouping.groupBy ??= (list, keyOf) => {
  const groups = new Map();
  for (const value of list) {
    groups.set(keyOf(value), [...(groups.get(keyOf(value)) ?? []), value]);
  }
  return groups;
};

// `npm run dev` serves the page with the API of a running `enprof serve`.
const server = process.env.ENPROF_SERVER ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react()],
  build: { outDir: "dist", emptyOutDir: true, chunkSizeWarningLimit: 2000, assetsInlineLimit: 0 },
  server: {
    proxy: {
      "/api": { target: server, changeOrigin: true },
      "/ws": { target: server, ws: true, changeOrigin: true },
    },
  },
});
