import { Button, Group, Modal, NumberInput, Stack, TextInput } from "@mantine/core";
import { useState } from "react";
import { attempt } from "../data/notices.ts";
import { TokenOnce } from "../parts/token-once.tsx";
import { bots } from "../rpc/connection.ts";

export function NewBot({ opened, close, made }: { opened: boolean; close: () => void; made: () => void }) {
  const [name, setName] = useState("");
  const [maxBuilds, setMaxBuilds] = useState<number | string>(2);
  const [token, setToken] = useState("");
  const leave = (): void => {
    setName("");
    setToken("");
    close();
  };
  const send = async (): Promise<void> => {
    const bot = await attempt("The bot was not made", () => bots.create({ name, maxBuilds: Number(maxBuilds) || 1 }));
    if (bot === undefined) return;
    setToken(bot.token);
    made();
  };
  return (
    <Modal opened={opened} onClose={leave} title="A new bot" closeButtonProps={{ "aria-label": "close" }}>
      {token !== "" ? (
        <TokenOnce token={token} hint="Start the bot with it: buildbot bot --server tcp://… --token …" close={leave} />
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void send();
          }}
        >
          <Stack>
            <TextInput
              label="Name"
              required
              pattern="[A-Za-z0-9][A-Za-z0-9_.\-]{0,62}"
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              data-autofocus
            />
            <NumberInput
              label="Builds at once"
              min={1}
              max={64}
              allowDecimal={false}
              value={maxBuilds}
              onChange={setMaxBuilds}
            />
            <Group justify="flex-end">
              <Button type="submit">Make it</Button>
            </Group>
          </Stack>
        </form>
      )}
    </Modal>
  );
}
