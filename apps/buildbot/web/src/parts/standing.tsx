import { Badge, Tooltip } from "@mantine/core";
import {
  IconAlertTriangle,
  IconBan,
  IconBolt,
  IconCheck,
  IconClock,
  IconPlayerSkipForward,
  IconPlayerPlay,
  IconRefresh,
  IconX,
  type TablerIcon,
} from "@tabler/icons-react";
import { COLOURS, type Standing } from "../data/results.ts";
import styles from "./standing.module.css";

const ICONS: Readonly<Record<Standing, TablerIcon>> = {
  success: IconCheck,
  warnings: IconAlertTriangle,
  failure: IconX,
  skipped: IconPlayerSkipForward,
  exception: IconBolt,
  retry: IconRefresh,
  cancelled: IconBan,
  running: IconPlayerPlay,
  waiting: IconClock,
};

/** An icon on a coloured ground, named for those who do not see it. */
export function StandingIcon({ standing, size = 22, label }: { standing: Standing; size?: number; label?: string }) {
  const Icon = ICONS[standing];
  return (
    <Tooltip label={label ?? standing}>
      <span
        role="img"
        aria-label={label ?? standing}
        className={styles.icon}
        data-running={standing === "running" || undefined}
        style={{
          width: size,
          height: size,
          background: `var(--mantine-color-${COLOURS[standing]}-filled)`,
          color: standing === "warnings" ? "#000" : "#fff",
        }}
      >
        <Icon size={size * 0.66} stroke={2.6} aria-hidden />
      </span>
    </Tooltip>
  );
}

export function StandingBadge({ standing }: { standing: Standing }) {
  const Icon = ICONS[standing];
  return (
    <Badge
      color={COLOURS[standing]}
      variant={standing === "waiting" || standing === "skipped" ? "light" : "filled"}
      autoContrast
      leftSection={<Icon size={12} stroke={3} aria-hidden />}
    >
      {standing}
    </Badge>
  );
}
