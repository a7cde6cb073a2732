import { Button, Stack } from "@mantine/core";
import type { Builds } from "../data/use-builds.ts";
import { BuildList } from "./build-row.tsx";

export function MoreBuilds({ builds, withBuilder = true }: { builds: Builds; withBuilder?: boolean }) {
  return (
    <Stack gap="sm">
      <BuildList builds={builds.value ?? []} withBuilder={withBuilder} />
      {builds.hasMore && (
        <Button variant="default" onClick={() => void builds.more()}>
          Older builds
        </Button>
      )}
    </Stack>
  );
}
