import { Button, Card, Code, CopyButton, Group, Stack, Title } from "@mantine/core";

/** `newest` makes the picture be fetched again once something has ended. */
export function BadgeSnippet({ builder, newest }: { builder: string; newest: number }) {
  const path = `/badge/${encodeURIComponent(builder)}.svg`;
  const page = `${location.origin}/builders/${encodeURIComponent(builder)}`;
  const snippet = `[![${builder}](${location.origin}${path})](${page})`;
  return (
    <Card withBorder padding="md">
      <Stack gap="sm">
        <Title order={2} size="h4">
          Badge
        </Title>
        <img src={`${path}?${newest}`} alt={`badge of ${builder}`} height={20} style={{ alignSelf: "flex-start" }} />
        <Group gap="sm" align="center">
          <Code flex={1} style={{ overflowWrap: "anywhere" }}>
            {snippet}
          </Code>
          <CopyButton value={snippet}>
            {({ copied, copy }) => (
              <Button size="xs" variant="default" onClick={copy}>
                {copied ? "Copied" : "Copy for a README"}
              </Button>
            )}
          </CopyButton>
        </Group>
      </Stack>
    </Card>
  );
}
