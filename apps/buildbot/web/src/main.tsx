import "./rpc/zod-without-eval.ts";
import "@mantine/core/styles.css";
import "./global.css";
import { MantineProvider } from "@mantine/core";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { MeProvider } from "./data/use-me.tsx";
import { Notices } from "./parts/notices.tsx";
import { beginFeeds } from "./rpc/live.ts";
import { theme, variables } from "./theme.ts";

beginFeeds();

const root = document.querySelector("#root");
if (root === null) throw new Error("there is no #root in this page");
createRoot(root).render(
  <StrictMode>
    <MantineProvider theme={theme} cssVariablesResolver={variables} defaultColorScheme="auto">
      <MeProvider>
        <App />
        <Notices />
      </MeProvider>
    </MantineProvider>
  </StrictMode>,
);
