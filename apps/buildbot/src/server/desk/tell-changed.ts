import type { Bus } from "../bus.ts";
import type { Changed } from "../store/index.ts";

/** After the commit. */
export function tellChanged(bus: Bus, { builds, requests }: Changed): void {
  for (const build of builds) bus.emit("buildChanged", build);
  for (const request of requests) bus.emit("queueChanged", request);
}
