import { Center, Loader } from "@mantine/core";
import { lazy, Suspense } from "react";
import { Route, Switch } from "wouter";
import { HomePage } from "./pages/home.tsx";
import { Shell } from "./shell/shell.tsx";

const BuildersPage = lazy(async () => ({ default: (await import("./pages/builders.tsx")).BuildersPage }));
const BuilderPage = lazy(async () => ({ default: (await import("./pages/builder.tsx")).BuilderPage }));
const GridPage = lazy(async () => ({ default: (await import("./pages/grid.tsx")).GridPage }));
const QueuePage = lazy(async () => ({ default: (await import("./pages/queue.tsx")).QueuePage }));
const BuildPage = lazy(async () => ({ default: (await import("./pages/build.tsx")).BuildPage }));
const ChangesPage = lazy(async () => ({ default: (await import("./pages/changes.tsx")).ChangesPage }));
const BotsPage = lazy(async () => ({ default: (await import("./pages/bots.tsx")).BotsPage }));
const CommandsPage = lazy(async () => ({ default: (await import("./pages/commands.tsx")).CommandsPage }));
const SettingsPage = lazy(async () => ({ default: (await import("./pages/settings.tsx")).SettingsPage }));
const UsersPage = lazy(async () => ({ default: (await import("./pages/users.tsx")).UsersPage }));
const NowherePage = lazy(async () => ({ default: (await import("./pages/nowhere.tsx")).NowherePage }));

export function App() {
  return (
    <Shell>
      <Suspense fallback={<Coming />}>
        <Switch>
          <Route path="/" component={HomePage} />
          <Route path="/builders" component={BuildersPage} />
          <Route path="/builders/:name">{({ name }) => <BuilderPage key={name} name={name} />}</Route>
          <Route path="/grid" component={GridPage} />
          <Route path="/queue" component={QueuePage} />
          <Route path="/builds/:id">{({ id }) => <BuildPage key={id} id={Number(id)} />}</Route>
          <Route path="/changes" component={ChangesPage} />
          <Route path="/bots" component={BotsPage} />
          <Route path="/commands" component={CommandsPage} />
          <Route path="/settings" component={SettingsPage} />
          <Route path="/users" component={UsersPage} />
          <Route component={NowherePage} />
        </Switch>
      </Suspense>
    </Shell>
  );
}

function Coming() {
  return (
    <Center py="xl">
      <Loader aria-label="loading" />
    </Center>
  );
}
