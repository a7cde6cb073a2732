import { z } from "zod";

// Before any schema is made: the page's content policy forbids `new Function`, and a try would be reported.
z.config({ jitless: true });
