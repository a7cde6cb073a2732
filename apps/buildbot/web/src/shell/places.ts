import {
  IconArrowsExchange,
  IconGitCommit,
  IconHome,
  IconLayoutGrid,
  IconList,
  IconRobot,
  IconSettings,
  IconTools,
  IconUsers,
  type TablerIcon,
} from "@tabler/icons-react";
import type { Role } from "../../../src/contracts/values.ts";

export interface Place {
  readonly path: string;
  readonly name: string;
  /** After `g`. */
  readonly key: string;
  readonly icon: TablerIcon;
  readonly role: Role;
}

export const PLACES: readonly Place[] = [
  { path: "/", name: "Home", key: "h", icon: IconHome, role: "viewer" },
  { path: "/builders", name: "Builders", key: "b", icon: IconTools, role: "viewer" },
  { path: "/grid", name: "Grid", key: "g", icon: IconLayoutGrid, role: "viewer" },
  { path: "/queue", name: "Queue", key: "q", icon: IconList, role: "viewer" },
  { path: "/changes", name: "Changes", key: "c", icon: IconGitCommit, role: "viewer" },
  { path: "/bots", name: "Bots", key: "o", icon: IconRobot, role: "viewer" },
  { path: "/commands", name: "Commands", key: "m", icon: IconArrowsExchange, role: "viewer" },
  { path: "/settings", name: "Settings", key: "s", icon: IconSettings, role: "admin" },
  { path: "/users", name: "Users", key: "u", icon: IconUsers, role: "admin" },
];
