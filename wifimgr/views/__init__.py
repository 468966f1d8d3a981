"""Views: what people and programs get to see. They read the store, never a router."""
