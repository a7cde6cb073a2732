import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  root: "web",
  plugins: [react()],
  build: {
    outDir: "../dist/web",
    emptyOutDir: true,
    // Browsers that have `light-dark()` of their own: what stands in for it knows nothing of the switch of colours.
    target: ["chrome125", "firefox128", "safari18"],
    // Nothing in the page is to be allowed by `data:` in its content policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 600,
    // Together with `zod-without-eval.ts`, which then runs before any schema is made, wherever that is.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: "zod", test: /[\\/]zod/ }] } } },
  },
});
