import { Kbd, Modal, Table } from "@mantine/core";
import { PLACES } from "./places.ts";

export function KeysHelp({ opened, close }: { opened: boolean; close: () => void }) {
  const rows: readonly (readonly [string, string])[] = [
    ["/", "search on this page"],
    ...PLACES.map(({ key, name }) => [`g ${key}`, name] as const),
    ["t", "times: how long ago, or when"],
    ["Enter, Shift+Enter", "next and previous find in a log"],
    ["?", "this help"],
  ];
  return (
    <Modal opened={opened} onClose={close} title="Keys" closeButtonProps={{ "aria-label": "close" }}>
      <Table>
        <Table.Tbody>
          {rows.map(([keys, what]) => (
            <Table.Tr key={keys}>
              <Table.Td>
                <Kbd>{keys}</Kbd>
              </Table.Td>
              <Table.Td>{what}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Modal>
  );
}
