import { Button, Group, Modal, Stack, TextInput } from "@mantine/core";
import { useState } from "react";

export interface Ask {
  readonly title: string;
  readonly button: string;
  readonly act: (reason: string) => Promise<unknown>;
}

/** Asks why, then does it. Undefined: nothing is asked. */
export function AskReason({ ask, close }: { ask: Ask | undefined; close: () => void }) {
  const [reason, setReason] = useState("");
  const [busy, setBusy] = useState(false);
  const send = async (): Promise<void> => {
    if (ask === undefined) return;
    setBusy(true);
    await ask.act(reason.trim() || "no reason given");
    setBusy(false);
    setReason("");
    close();
  };
  return (
    <Modal
      opened={ask !== undefined}
      onClose={close}
      title={ask?.title ?? ""}
      closeButtonProps={{ "aria-label": "close" }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <Stack>
          <TextInput
            label="Reason"
            placeholder="Others will read it"
            maxLength={500}
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
            data-autofocus
          />
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              Keep it
            </Button>
            <Button type="submit" color="red" loading={busy}>
              {ask?.button}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
