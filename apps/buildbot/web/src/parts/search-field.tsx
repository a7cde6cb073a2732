import { Kbd, TextInput, type TextInputProps } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";

/** The one of a page that the key `/` leads to. */
export function SearchField(props: TextInputProps) {
  return (
    <TextInput
      data-search
      type="search"
      leftSection={<IconSearch size={16} aria-hidden />}
      rightSection={
        <Kbd size="xs" visibleFrom="sm">
          /
        </Kbd>
      }
      rightSectionPointerEvents="none"
      {...props}
    />
  );
}
