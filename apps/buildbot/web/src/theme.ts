import { createTheme, type MantineThemeOverride } from "@mantine/core";

export const theme: MantineThemeOverride = createTheme({
  primaryColor: "blue",
  defaultRadius: "md",
  cursorType: "pointer",
  // Seen only where the keyboard has brought it.
  focusRing: "auto",
  respectReducedMotion: true,
});
