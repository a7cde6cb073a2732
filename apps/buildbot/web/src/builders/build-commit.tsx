import { ActionIcon, Menu } from "@mantine/core";
import { IconPlayerPlay } from "@tabler/icons-react";
import { useRef, useState } from "react";
import type { BuilderSummary, Commit } from "../../../src/contracts/values.ts";
import { shortRevision } from "../parts/link.tsx";
import { ForceDialog } from "./force-dialog.tsx";

/** Asks for a build of this very commit, by one of the builders of its repository. */
export function BuildCommit({ commit, builders }: { commit: Commit; builders: readonly BuilderSummary[] }) {
  const [chosen, choose] = useState<BuilderSummary>();
  const button = useRef<HTMLButtonElement>(null);
  if (builders.length === 0) return undefined;
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon
            ref={button}
            variant="default"
            size="md"
            title="Build this commit"
            aria-label={`build ${shortRevision(commit.hash)}`}
          >
            <IconPlayerPlay size={14} aria-hidden />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>Build it by</Menu.Label>
          {builders.map((builder) => (
            <Menu.Item key={builder.name} onClick={() => choose(builder)}>
              {builder.title || builder.name}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
      {chosen && (
        <ForceDialog
          builder={chosen}
          branch={commit.branch}
          revision={commit.hash}
          opened
          close={() => {
            choose(undefined);
            // A dialog that is gone gives it back to nobody.
            button.current?.focus();
          }}
        />
      )}
    </>
  );
}
