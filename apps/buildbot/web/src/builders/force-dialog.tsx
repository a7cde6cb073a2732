import { Button, Group, Modal, NativeSelect, NumberInput, Stack, TextInput } from "@mantine/core";
import { useState } from "react";
import type { BuilderSummary } from "../../../src/contracts/values.ts";
import { attempt, notice } from "../data/notices.ts";
import { builds } from "../rpc/connection.ts";

/** Asks for what a forced build needs, the builder's own parameters among it. */
export function ForceDialog({
  builder,
  branch: givenBranch = "",
  revision: givenRevision = "",
  opened,
  close,
}: {
  builder: BuilderSummary;
  /** What stands there when it is opened for the first time. */
  branch?: string;
  revision?: string;
  opened: boolean;
  close: () => void;
}) {
  const [branch, setBranch] = useState(givenBranch);
  const [revision, setRevision] = useState(givenRevision);
  const [reason, setReason] = useState("");
  const [priority, setPriority] = useState<number | string>("");
  const [given, setGiven] = useState<Readonly<Record<string, string>>>({});
  const [busy, setBusy] = useState(false);
  const valueOf = (name: string, preset: string): string => given[name] ?? preset;

  const send = async (): Promise<void> => {
    setBusy(true);
    const properties = Object.fromEntries(
      builder.parameters.map(({ name, default: preset }) => [name, valueOf(name, preset)]),
    );
    const request = await attempt("The build was not asked for", () =>
      builds.force({
        builder: builder.name,
        ...(branch.trim() && { branch: branch.trim() }),
        ...(revision.trim() && { revision: revision.trim() }),
        ...(reason.trim() && { reason: reason.trim() }),
        ...(typeof priority === "number" && { priority }),
        properties,
      }),
    );
    setBusy(false);
    if (request === undefined) return;
    notice("done", "The build is asked for", `request ${request.id} of ${request.builder} waits for a bot`);
    close();
  };

  return (
    <Modal
      opened={opened}
      onClose={close}
      title={`Build ${builder.title || builder.name} now`}
      closeButtonProps={{ "aria-label": "close" }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <Stack gap="sm">
          <TextInput
            label="Reason"
            placeholder="forced"
            maxLength={500}
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
            data-autofocus
          />
          <Group grow align="flex-start">
            <TextInput
              label="Branch"
              placeholder={builder.branch}
              value={branch}
              onChange={(event) => setBranch(event.currentTarget.value)}
            />
            <TextInput
              label="Revision"
              placeholder="the newest"
              value={revision}
              onChange={(event) => setRevision(event.currentTarget.value)}
            />
          </Group>
          {builder.parameters.map(({ name, label, default: preset, choices }) => {
            const props = {
              label: label || name,
              value: valueOf(name, preset),
              onChange: (event: { currentTarget: { value: string } }) => {
                const { value } = event.currentTarget;
                setGiven((before) => ({ ...before, [name]: value }));
              },
            };
            return choices.length > 0 ? (
              <NativeSelect key={name} data={choices} {...props} />
            ) : (
              <TextInput key={name} {...props} />
            );
          })}
          <NumberInput
            label="Priority"
            description="Higher ones first; else the builder's own"
            min={-100}
            max={100}
            allowDecimal={false}
            value={priority}
            onChange={setPriority}
          />
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              Close
            </Button>
            <Button type="submit" loading={busy}>
              Build
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
