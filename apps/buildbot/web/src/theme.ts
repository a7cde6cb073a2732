import { type CSSVariablesResolver, createTheme, type MantineThemeOverride } from "@mantine/core";

const COLOURS = ["blue", "gray", "green", "grape", "indigo", "orange", "red", "yellow"];

export const theme: MantineThemeOverride = createTheme({
  primaryColor: "blue",
  // White words on them are read easily.
  primaryShade: { light: 8, dark: 8 },
  defaultRadius: "md",
  cursorType: "pointer",
  // Seen only where the keyboard has brought it.
  focusRing: "auto",
  respectReducedMotion: true,
});

/** The library's quiet greys and its light grounds are too near to what is written on them. */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--mantine-color-dimmed": "#5c636a",
    "--mantine-color-placeholder": "#6a7178",
    "--mantine-color-anchor": "#1864ab",
    ...Object.fromEntries(
      COLOURS.map((name) => [
        `--mantine-color-${name}-light-color`,
        `color-mix(in srgb, var(--mantine-color-${name}-9) 75%, #000)`,
      ]),
    ),
  },
  dark: {
    "--mantine-color-dimmed": "#a6a9ad",
    "--mantine-color-placeholder": "#8f9499",
    "--mantine-color-anchor": "#74c0fc",
    ...Object.fromEntries(
      COLOURS.flatMap((name) => [
        [`--mantine-color-${name}-light`, `color-mix(in srgb, var(--mantine-color-${name}-6) 16%, transparent)`],
        [`--mantine-color-${name}-light-hover`, `color-mix(in srgb, var(--mantine-color-${name}-6) 24%, transparent)`],
        [`--mantine-color-${name}-light-color`, `var(--mantine-color-${name}-2)`],
      ]),
    ),
  },
});
