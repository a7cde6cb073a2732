import { Text } from "@mantine/core";
import { To } from "../parts/link.tsx";
import { Page } from "../parts/page.tsx";

export function NowherePage() {
  return (
    <Page title="Nothing here">
      <Text>
        There is no page of this address. <To href="/">Go home</To>
      </Text>
    </Page>
  );
}
