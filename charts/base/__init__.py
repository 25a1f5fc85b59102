"""What all charts share: layout, palette and rendering."""
