import { Button } from "@mantine/core";
import { IconRefresh, IconSquareX } from "@tabler/icons-react";
import { useState } from "react";
import type { BuildDetail } from "../../../src/contracts/values.ts";
import { attempt, notice } from "../data/notices.ts";
import { useMay } from "../data/use-me.tsx";
import { type Ask, AskReason } from "../parts/ask-reason.tsx";
import { builds } from "../rpc/connection.ts";

export function BuildButtons({ build }: { build: BuildDetail }) {
  const may = useMay("developer");
  const [ask, setAsk] = useState<Ask>();
  const { id } = build;
  const rebuild = async (): Promise<void> => {
    const request = await attempt("It is not built again", () => builds.rebuild({ id }));
    if (request) notice("done", "It will be built again", `request ${request.id} waits for a bot`);
  };
  const cancel = (): void =>
    setAsk({
      title: `Cancel ${build.builder} #${build.number}?`,
      button: "Cancel the build",
      act: (reason) => attempt("It goes on", () => builds.cancel({ id, reason })),
    });
  if (!may) return undefined;
  return (
    <>
      {build.state === "running" && (
        <Button
          color="red"
          variant="light"
          disabled={build.cancelRequested}
          leftSection={<IconSquareX size={16} aria-hidden />}
          onClick={cancel}
        >
          Cancel
        </Button>
      )}
      <Button variant="default" leftSection={<IconRefresh size={16} aria-hidden />} onClick={() => void rebuild()}>
        Rebuild
      </Button>
      <AskReason ask={ask} close={() => setAsk(undefined)} />
    </>
  );
}
