import { ActionIcon, Badge, Button, Card, Group, Modal, NativeSelect, Stack, Table, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import { useState } from "react";
import { type Role, ROLES } from "../../../src/contracts/values.ts";
import { attempt, notice } from "../data/notices.ts";
import { useLoaded } from "../data/use-loaded.ts";
import { Page } from "../parts/page.tsx";
import { Shown } from "../parts/states.tsx";
import { Ago } from "../parts/times.tsx";
import { TokenOnce } from "../parts/token-once.tsx";
import { users } from "../rpc/connection.ts";

export function UsersPage() {
  const list = useLoaded("users", (signal) => users.list(undefined, { signal }));
  const [isNew, fresh] = useDisclosure(false);
  const remove = async (name: string): Promise<void> => {
    /* oxlint-disable-next-line no-alert -- asked seldom; a dialog of our own would say the same */
    if (!confirm(`Remove ${name}? The token ends at once.`)) return;
    const done = await attempt(`${name} stays`, () => users.remove({ name }));
    if (done) notice("done", `${name} is removed`);
    list.reload();
  };
  const button = (
    <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={fresh.open}>
      New user
    </Button>
  );
  return (
    <Page title="Users" tools={button}>
      <Shown of={list}>
        {(all) => (
          <Card withBorder padding={0}>
            <Table>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Name</Table.Th>
                  <Table.Th>Role</Table.Th>
                  <Table.Th visibleFrom="xs">Since</Table.Th>
                  <Table.Th aria-label="actions" />
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {all.map(({ name, role, createdAt }) => (
                  <Table.Tr key={name}>
                    <Table.Td>{name}</Table.Td>
                    <Table.Td>
                      <Badge variant="light" miw="max-content">
                        {role}
                      </Badge>
                    </Table.Td>
                    <Table.Td visibleFrom="xs" style={{ whiteSpace: "nowrap" }}>
                      <Ago at={createdAt} />
                    </Table.Td>
                    <Table.Td align="right">
                      <ActionIcon
                        variant="subtle"
                        color="red"
                        aria-label={`remove ${name}`}
                        onClick={() => void remove(name)}
                      >
                        <IconTrash size={16} aria-hidden />
                      </ActionIcon>
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Card>
        )}
      </Shown>
      <NewUser opened={isNew} close={fresh.close} made={list.reload} />
    </Page>
  );
}

function NewUser({ opened, close, made }: { opened: boolean; close: () => void; made: () => void }) {
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("developer");
  const [token, setToken] = useState("");
  const leave = (): void => {
    setName("");
    setToken("");
    close();
  };
  const send = async (): Promise<void> => {
    const user = await attempt("The user was not made", () => users.create({ name, role }));
    if (user === undefined) return;
    setToken(user.token);
    made();
  };
  return (
    <Modal opened={opened} onClose={leave} title="A new user" closeButtonProps={{ "aria-label": "close" }}>
      {token !== "" ? (
        <TokenOnce token={token} hint={`${name} signs in with it.`} close={leave} />
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
            <NativeSelect
              label="Role"
              data={[...ROLES]}
              value={role}
              onChange={(event) => setRole(event.currentTarget.value as Role)}
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
