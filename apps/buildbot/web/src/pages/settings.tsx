import { useDebouncedValue } from "@mantine/hooks";
import { Alert, Button, Card, Group, Stack, Tabs, Text, TextInput } from "@mantine/core";
import { useRef, useState } from "react";
import { Settings } from "../../../src/contracts/page.ts";
import { notice, wordsOf } from "../data/notices.ts";
import { useLoaded } from "../data/use-loaded.ts";
import { Page } from "../parts/page.tsx";
import { Shown } from "../parts/states.tsx";
import { settings } from "../rpc/connection.ts";
import { houseFeed, useFeed } from "../rpc/live.ts";
import { DiffView } from "../settings/diff-view.tsx";
import { EXAMPLE } from "../settings/example.ts";
import { History } from "../settings/history.tsx";
import { Problems } from "../settings/problems.tsx";
import { YamlEditor } from "../settings/yaml-editor.tsx";

interface Draft {
  readonly text: string;
  /** On top of which it is written. */
  readonly version: number;
}

export function SettingsPage() {
  const saved = useLoaded("settings", (signal) => settings.get(undefined, { signal }));
  useFeed(houseFeed, saved.reload);
  return (
    <Page title="Settings">
      <Shown of={saved}>{(value) => <Editor saved={value} reload={saved.reload} />}</Shown>
    </Page>
  );
}

function Editor({ saved, reload }: { saved: Draft; reload: () => void }) {
  const [draft, setDraft] = useState<Draft>();
  const [note, setNote] = useState("");
  const [busy, setBusy] = useState(false);
  const area = useRef<HTMLTextAreaElement>(null);
  const { text, version } = draft ?? saved;
  const [settled] = useDebouncedValue(text, 400);
  const preview = useLoaded(`preview ${saved.version} ${settled}`, (signal) =>
    settings.preview({ text: settled }, { signal }),
  );
  const problems = preview.value?.problems ?? [];
  const isStale = draft !== undefined && draft.version !== saved.version;
  const isChanged = draft !== undefined && draft.text !== saved.text;

  const save = async (): Promise<void> => {
    setBusy(true);
    try {
      const { version: made } = await settings.save({ text, version, note: note.trim() });
      notice("done", `Version ${made} holds`, "Running builds go on as they began.");
      setDraft(undefined);
      setNote("");
    } catch (error) {
      const isOlder = Settings.save.isError(error, "Stale");
      notice(
        "failed",
        "Nothing was saved",
        isOlder ? `${error.details.author} has saved version ${error.details.version} meanwhile` : wordsOf(error),
      );
    }
    setBusy(false);
    reload();
  };

  return (
    <Stack gap="md">
      {isStale && (
        <Alert color="orange" title={`Somebody has saved version ${saved.version} while you were writing`}>
          <Stack gap="xs" align="flex-start">
            <Text size="sm">The difference below is between that version and yours.</Text>
            <Group gap="xs">
              <Button size="xs" variant="default" onClick={() => setDraft(undefined)}>
                Take theirs
              </Button>
              <Button
                size="xs"
                variant="light"
                color="orange"
                onClick={() => setDraft({ text, version: saved.version })}
              >
                Go on with mine, on top of theirs
              </Button>
            </Group>
          </Stack>
        </Alert>
      )}
      {saved.version === 0 && draft === undefined && (
        <Group gap="xs">
          <Text size="sm" c="dimmed">
            Nothing is built yet. Say here which repositories there are, and what is done with them.
          </Text>
          <Button size="xs" variant="light" onClick={() => setDraft({ text: EXAMPLE, version })}>
            Begin with an example
          </Button>
        </Group>
      )}
      <YamlEditor area={area} text={text} problems={problems} onChange={(next) => setDraft({ text: next, version })} />
      <Problems problems={problems} area={area} />
      <Group align="flex-end">
        <TextInput
          flex={1}
          miw={200}
          label="What has changed"
          placeholder="for the history"
          maxLength={500}
          value={note}
          onChange={(event) => setNote(event.currentTarget.value)}
        />
        <Button variant="default" disabled={!isChanged} onClick={() => setDraft(undefined)}>
          Start over
        </Button>
        <Button
          loading={busy}
          disabled={!isChanged || isStale || problems.length > 0 || settled !== text}
          onClick={() => void save()}
        >
          Save
        </Button>
      </Group>
      <Card withBorder padding="md">
        <Tabs defaultValue="diff" keepMounted={false}>
          <Tabs.List mb="sm">
            <Tabs.Tab value="diff">Difference</Tabs.Tab>
            <Tabs.Tab value="history">History</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="diff">
            <Shown of={preview}>{({ diff }) => <DiffView diff={diff} />}</Shown>
          </Tabs.Panel>
          <Tabs.Panel value="history">
            <History version={saved.version} />
          </Tabs.Panel>
        </Tabs>
      </Card>
    </Stack>
  );
}
