import { useMay } from "../data/use-me.tsx";
import { To } from "../parts/link.tsx";
import { Nothing } from "../parts/states.tsx";

export function NoBuilder() {
  const mayConfigure = useMay("admin");
  return (
    <Nothing>
      No builder yet.{" "}
      {mayConfigure ? <To href="/settings">Describe the first one</To> : "An admin describes them under Settings."}
    </Nothing>
  );
}
