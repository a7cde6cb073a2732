import { ActionIcon, Menu, useMantineColorScheme } from "@mantine/core";
import {
  IconCalendar,
  IconCheck,
  IconClock,
  IconDeviceDesktop,
  IconMoon,
  IconSun,
  type TablerIcon,
} from "@tabler/icons-react";
import { setTimes, useTimes } from "../data/use-times.ts";

const SCHEMES = [
  { value: "auto", name: "As the system", icon: IconDeviceDesktop },
  { value: "light", name: "Light", icon: IconSun },
  { value: "dark", name: "Dark", icon: IconMoon },
] as const;

const TIMES = [
  { value: "relative", name: "3 minutes ago", icon: IconClock },
  { value: "absolute", name: "Date and time", icon: IconCalendar },
] as const;

/** How the page looks: its colours, and how it says when something was. */
export function ViewButton() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const times = useTimes();
  const Icon = SCHEMES.find(({ value }) => value === colorScheme)?.icon ?? IconDeviceDesktop;
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="default" size="lg" aria-label="colours and times">
          <Icon size={18} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Colours</Menu.Label>
        {SCHEMES.map(({ value, name, icon }) => (
          <Choice
            key={value}
            name={name}
            icon={icon}
            isChosen={value === colorScheme}
            choose={() => setColorScheme(value)}
          />
        ))}
        <Menu.Divider />
        <Menu.Label>Times</Menu.Label>
        {TIMES.map(({ value, name, icon }) => (
          <Choice key={value} name={name} icon={icon} isChosen={value === times} choose={() => setTimes(value)} />
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

interface ChoiceProps {
  readonly name: string;
  readonly icon: TablerIcon;
  readonly isChosen: boolean;
  readonly choose: () => void;
}

function Choice({ name, icon: Icon, isChosen, choose }: ChoiceProps) {
  return (
    <Menu.Item
      leftSection={<Icon size={16} aria-hidden />}
      rightSection={isChosen ? <IconCheck size={14} aria-label="chosen" /> : undefined}
      onClick={choose}
    >
      {name}
    </Menu.Item>
  );
}
