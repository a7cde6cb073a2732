import { Code, Table } from "@mantine/core";
import type { Properties } from "../../../src/contracts/values.ts";
import { Nothing } from "../parts/states.tsx";

export function PropertiesTab({ properties }: { properties: Properties }) {
  const rows = Object.entries(properties).sort(([a], [b]) => a.localeCompare(b));
  if (rows.length === 0) return <Nothing>It has no properties.</Nothing>;
  return (
    <Table>
      <Table.Tbody>
        {rows.map(([name, value]) => (
          <Table.Tr key={name}>
            <Table.Th scope="row" w={200}>
              {name}
            </Table.Th>
            <Table.Td>
              <Code style={{ whiteSpace: "pre-wrap" }}>{value}</Code>
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
