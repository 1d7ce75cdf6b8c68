"""What ``top`` shows: counting (tally, flows), what the keys do (view), and how it looks.

Pages are made of lines and tables whose every cell is fitted beforehand (frame, table, pages), so that
rich and the standard library (rich_drawing, plain_drawing) draw the same. Only terminal.py and keys.py
touch a terminal.
"""
