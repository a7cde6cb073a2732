import { Anchor, Code, Table, Text } from "@mantine/core";
import type { Artefact } from "../../../src/contracts/values.ts";
import { byteWords } from "../data/time-words.ts";
import { Nothing } from "../parts/states.tsx";

export function ArtefactsTab({ build, artefacts }: { build: number; artefacts: readonly Artefact[] }) {
  if (artefacts.length === 0) return <Nothing>No files were kept.</Nothing>;
  return (
    <Table.ScrollContainer minWidth={340}>
      <Table>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>File</Table.Th>
            <Table.Th>Size</Table.Th>
            <Table.Th>SHA-256</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {artefacts.map(({ id, name, bytes, sha256 }) => (
            <Table.Tr key={id}>
              <Table.Td>
                <Anchor
                  size="sm"
                  href={`/artefacts/${build}/${name.split("/").map(encodeURIComponent).join("/")}`}
                  download
                >
                  {name}
                </Anchor>
              </Table.Td>
              <Table.Td>
                <Text size="sm" title={`${bytes} bytes`}>
                  {byteWords(bytes)}
                </Text>
              </Table.Td>
              <Table.Td>
                <Code title={sha256}>{sha256.slice(0, 16)}…</Code>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
